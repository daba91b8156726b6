{#-
Keys and indexes are made after the table is filled and before it takes the place of the
old one: dbt calls create_indexes at just that moment. Keys inside `create table`, where a
contract puts them, would cost a quarter more.

- The key is the contract's own `primary_key` constraint, with its name.
- Indexes stand in config(meta={'indexes': {name: '(columns)'}}): dbt's own `indexes`
  config makes up names, and ours are part of what analysts know.

The old table still holds these names, so its indexes step aside first. That takes no
lock that a reader would notice, and all is one transaction with the swap. At the end the
old table is locked for the swap, without making readers wait for other readers.
-#}
{% macro postgres__create_indexes(relation) %}
    {%- set statements = [] -%}
    {%- for constraint in model.get('constraints', []) if constraint.type == 'primary_key' -%}
        {%- do statements.append(step_aside(relation, constraint.name)) -%}
        {%- do statements.append(
            'alter table ' ~ relation ~ ' add constraint ' ~ constraint.name
            ~ ' primary key (' ~ constraint.columns | join(', ') ~ ')'
        ) -%}
    {%- endfor -%}
    {%- for name, columns in config.get('meta', {}).get('indexes', {}).items() -%}
        {%- do statements.append(step_aside(relation, name)) -%}
        {%- do statements.append('create index ' ~ name ~ ' on ' ~ relation ~ ' ' ~ columns) -%}
    {%- endfor -%}
    {%- do statements.append('analyze ' ~ relation) -%}
    {%- set old_relation = load_relation(this) -%}
    {%- if old_relation and old_relation.identifier != relation.identifier -%}
        {%- do statements.append(lock_for_swap(old_relation)) -%}
    {%- endif -%}
    {%- do run_query(statements | join(';\n')) -%}
{% endmacro %}

{#- Renames the index of this name, if there is one, to its name with `__old`. -#}
{% macro step_aside(relation, index_name) -%}
    alter index if exists {{ relation.schema }}.{{ index_name }} rename to {{ index_name }}__old
{%- endmacro %}

{#- The columns of a contract without its keys, which postgres__create_indexes makes. -#}
{% macro postgres__get_table_columns_and_constraints() -%}
    (
        {{ adapter.render_raw_columns_constraints(raw_columns=model['columns']) | join(',\n        ') }}
    )
{%- endmacro %}
