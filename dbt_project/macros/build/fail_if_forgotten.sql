{#-
Raises an error when Postgres crashed since this build began: it then emptied the tables
that are made anew in each build, and what is made of them would be wrong. All of them are
unlogged, so the first one tells for all.

To stand in the transaction that writes a table, after the write: a crash before it shows,
and one after it undoes the write.
-#}
{% macro fail_if_forgotten() -%}
    {#- Not by ref, so that no model need say that it depends on these. -#}
    {%- set schema = generate_schema_name('intermediate') -%}
    do $$
    begin
        if
            not exists (select from {{ schema }}.int_loads)
            and exists (select from {{ schema }}.stg_loads)
        then
            raise exception 'Postgres crashed during the build, and forgot what it is made of'
            using hint = 'Run it again.';
        end if;
    end
    $$
{%- endmacro %}
