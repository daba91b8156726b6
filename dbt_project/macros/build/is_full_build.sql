{#-
True when all rows are in scope: on `--full-refresh`, and when an incremental model has
no table yet, since that one needs them all.
-#}
{% macro is_full_build() %}
    {%- if not execute -%}{{ return(false) }}{%- endif -%}
    {%- for node in graph.nodes.values() if node.config.materialized == 'incremental' -%}
        {%- if adapter.get_relation(node.database, node.schema, node.alias) is none -%}
            {{ return(true) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(flags.FULL_REFRESH) }}
{% endmacro %}
