{#- A schema is called what dbt_project.yml calls it: `marts`, not `marts_marts`. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
