{#-
The rows of `relation` whose `ts` lies in a touched hour or day; all rows in a full build.
Driven by the touched set, so that Postgres goes by the index on ts.
-#}
{% macro rows_in_touched(relation, key) -%}
    {%- set touched_relation = touched(key) -%}
    {%- if is_incremental() -%}
        {{ touched_relation }} as touched
        inner join {{ relation }} as rows
            on
                rows.ts >= {{ start_of('touched.' ~ key, key) }}
                and rows.ts < {{ start_of('touched.' ~ key, key) }} + interval '1 {{ key }}'
    {%- else -%}
        {{ relation }} as rows
    {%- endif -%}
{%- endmacro %}

{#- The moment when a UTC day begins; an hour is that moment itself. -#}
{% macro start_of(value, key) -%}
    {%- if key == 'day' -%}
        ({{ value }}::timestamp at time zone 'UTC')
    {%- else -%}
        {{ value }}
    {%- endif -%}
{%- endmacro %}
