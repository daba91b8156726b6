{#-
A schema is called what dbt_project.yml calls it: `marts`, not `marts_marts`. `make audit`
builds all of them a second time under a prefix.
-#}
{% macro generate_schema_name(custom_schema_name, node=none) -%}
    {{ var('schema_prefix', '') }}{{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
