{#-
Locks a table for its swap. Who waits for such a lock makes all new readers wait behind
it, so it is asked for a quarter of a second at a time, and for longer than any export
of the API may hold the table: a quarter of an hour. `lock` is the statement that locks it.
-#}
{% macro lock_for_swap(relation, lock=none) -%}
    do $$
    begin
        set local lock_timeout = '250ms';
        for attempt in 1..1800 loop
            begin
                {{ lock or 'lock table ' ~ relation ~ ' in access exclusive mode' }};
                return;
            exception when lock_not_available then
                perform pg_sleep(0.25);
            end;
        end loop;
        raise exception '{{ relation.identifier }} was in use for a quarter of an hour';
    end
    $$
{%- endmacro %}

{#-
The same for a view, before dbt puts a new one in its place. `lock table` would lock the
tables that the view reads, too, which are the loader's: to give the view the owner that it
has locks it alone.
-#}
{% macro lock_old_view() -%}
    {%- set old_relation = load_relation(this) -%}
    {%- if old_relation -%}
        {%- set lock -%}
            execute (
                select format('alter view {{ old_relation }} owner to %s', relowner::regrole)
                from pg_class
                where oid = '{{ old_relation }}'::regclass
            )
        {%- endset -%}
        {{ lock_for_swap(old_relation, lock) }}
    {%- endif -%}
{%- endmacro %}
