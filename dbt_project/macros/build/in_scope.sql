{#- The condition that keeps a data test to what the build touched. -#}
{% macro is_in_scope(key) -%}
    {%- set touched_relation = touched(key) -%}
    {%- if is_full_build() -%}
        true
    {%- else -%}
        {{ key }} in (select {{ key }} from {{ touched_relation }})
    {%- endif -%}
{%- endmacro %}
