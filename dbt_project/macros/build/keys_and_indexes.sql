{#-
Keys and indexes are made after the table is filled and before it takes the place of the
old one: dbt calls create_indexes at just that moment. Keys that are there from the
beginning, where a contract puts them, would cost a quarter more.

- The key is the contract's own `primary_key` constraint, with its name.
- Indexes stand in config(meta={'indexes': {name: '(columns)'}}): dbt's own `indexes`
  config makes up names, and ours are part of what analysts know.

The old table still holds these names, so the new ones are made as `__new` and renamed at
the end, when the old table is locked for the swap. Not before: the renamed index's row in
pg_class would make an autoanalyze of the old table wait for us, holding what we wait for.
-#}
{% macro postgres__create_indexes(relation) %}
    {%- set old_relation = load_relation(this) -%}
    {%- set statements = [] -%}
    {%- set names = [] -%}
    {%- for constraint in model.get('constraints', []) if constraint.type == 'primary_key' -%}
        {%- do names.append(constraint.name) -%}
        {%- do statements.append(
            'alter table ' ~ relation ~ ' add constraint ' ~ constraint.name ~ '__new'
            ~ ' primary key (' ~ constraint.columns | join(', ') ~ ')'
        ) -%}
    {%- endfor -%}
    {%- for name, columns in config.get('meta', {}).get('indexes', {}).items() -%}
        {%- do names.append(name) -%}
        {%- do statements.append(
            'create index ' ~ name ~ '__new on ' ~ relation ~ ' ' ~ columns
        ) -%}
    {%- endfor -%}
    {%- do statements.append('analyze ' ~ relation) -%}
    {%- do statements.append(fail_if_forgotten()) -%}
    {%- if old_relation and old_relation.identifier != relation.identifier -%}
        {%- do statements.append(lock_for_swap(old_relation)) -%}
    {%- endif -%}
    {%- for name in names -%}
        {%- do statements.append(rename_index(relation.schema, name, name ~ '__old')) -%}
        {%- do statements.append(rename_index(relation.schema, name ~ '__new', name)) -%}
    {%- endfor -%}
    {%- do run_query(statements | join(';\n')) -%}
{% endmacro %}

{#- Renames an index, if there is one of this name; a key's index takes its constraint along. -#}
{% macro rename_index(schema, old_name, new_name) -%}
    alter index if exists {{ schema }}.{{ old_name }} rename to {{ new_name }}
{%- endmacro %}
