{#-
The incremental strategy of the models that grow with the history: what the build touches
is deleted from the table, and what the model's select returns is inserted. `unique_key` names the column
that the touched set is a set of.

The rows to delete come from the touched set, not from the keys that come back as in
dbt's own delete+insert: a TWAP whose last event was withdrawn comes back with no row,
and must go all the same.
-#}
{% macro get_incremental_replace_touched_sql(arg_dict) %}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set key = arg_dict['unique_key'] -%}
    delete from {{ arg_dict['target_relation'] }}
    where {{ key }} in (select {{ key }} from {{ touched(key) }});

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{% endmacro %}

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

{#-
The condition that keeps an increment to what is touched; true in a full build. To stand
below every window and distinct of a model: Postgres pushes no join down through those.
-#}
{% macro is_touched(key) -%}
    {%- set touched_relation = touched(key) -%}
    {%- if is_incremental() -%}
        {{ key }} in (select {{ key }} from {{ touched_relation }})
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}
