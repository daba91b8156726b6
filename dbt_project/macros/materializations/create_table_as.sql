{#-
A table with a contract, made of its select at once. dbt makes the table and then inserts
into it, and Postgres reads for an insert with one process alone; for this, with several.
The contract is checked as by dbt, with the names and types of the select.
-#}
{% macro postgres__create_table_as(temporary, relation, sql) -%}
    {%- set is_contract = config.get('contract').enforced -%}
    {%- if is_contract -%}
        {{ get_assert_columns_equivalent(sql) }}
    {%- endif %}
    create {{ 'temporary' if temporary }} table {{ relation }} as (
        {{ get_select_subquery(sql) if is_contract else sql }}
    );
    {%- if is_contract and not temporary -%}
        {{ require_values(relation) }}
    {%- endif -%}
{%- endmacro %}

{#- The `not_null` constraints of the contract; all are checked in one reading. -#}
{% macro require_values(relation) -%}
    {%- set required = [] -%}
    {%- for column in model.columns.values() -%}
        {%- if column.constraints | selectattr('type', 'equalto', 'not_null') | list -%}
            {%- do required.append('alter column ' ~ column.name ~ ' set not null') -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if required %}
    alter table {{ relation }} {{ required | join(', ') }};
    {%- endif -%}
{%- endmacro %}
