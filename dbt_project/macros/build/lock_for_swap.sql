{#-
Locks a table for its swap. Who waits for such a lock makes all new readers wait behind
it, so it is asked for a quarter of a second at a time, and for longer than any export
of the API may hold the table: a quarter of an hour.
-#}
{% macro lock_for_swap(relation) -%}
    do $$
    begin
        set local lock_timeout = '250ms';
        for attempt in 1..1800 loop
            begin
                lock table {{ relation }} in access exclusive mode;
                return;
            exception when lock_not_available then
                perform pg_sleep(0.25);
            end;
        end loop;
        raise exception '{{ relation.identifier }} was in use for a quarter of an hour';
    end
    $$
{%- endmacro %}

{#- The same for a view, before dbt puts a new one in its place. -#}
{% macro lock_old_view() -%}
    {%- set old_relation = load_relation(this) -%}
    {%- if old_relation -%}
        {{ lock_for_swap(old_relation) }}
    {%- endif -%}
{%- endmacro %}
