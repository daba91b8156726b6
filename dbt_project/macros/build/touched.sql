{#- The table of what this build touches, by the column that names it. -#}
{% macro touched(key) -%}
    {%- set tables = {
        's3_object_key': 'int_touched_objects',
        'twap_id': 'int_touched_twaps',
        'hour': 'int_touched_hours',
        'day': 'int_touched_days',
    } -%}
    {{ ref(tables[key]) }}
{%- endmacro %}

{#- A select of what this build touches; of builds, it is the build itself. -#}
{% macro touched_keys(key) -%}
    {%- if key == 'build_id' -%}
        select '{{ invocation_id }}'
    {%- else -%}
        select {{ key }} from {{ touched(key) }}
    {%- endif -%}
{%- endmacro %}

{#-
The condition that keeps an increment to what is touched; true in a full build. To stand
below every window and distinct of a model: Postgres pushes no join down through those.
-#}
{% macro is_touched(key, column=none) -%}
    {%- set keys = touched_keys(key) -%}
    {%- if is_incremental() -%}
        {{ column or key }} in ({{ keys }})
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}
