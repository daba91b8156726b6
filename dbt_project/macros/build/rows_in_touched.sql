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
                and rows.ts < {{ start_of('touched.' ~ key, key) }} + {{ length_of(key) }}
    {%- else -%}
        {{ relation }} as rows
    {%- endif -%}
{%- endmacro %}

{#- A day of UTC has 24 hours; '1 day' would be one of the session's time zone. -#}
{% macro length_of(key) -%}
    interval '{{ 24 if key == 'day' else 1 }} hours'
{%- endmacro %}

{#- The moment when a UTC day begins; an hour is that moment itself. -#}
{% macro start_of(value, key) -%}
    {%- if key == 'day' -%}
        ({{ value }}::timestamp at time zone 'UTC')
    {%- else -%}
        {{ value }}
    {%- endif -%}
{%- endmacro %}
