{#-
An incremental strategy for a small table whose select returns all of it: rows that are
no longer so are deleted, rows that are new are inserted, and all others are left alone.
So readers never find it swapped away, and vacuum has little to do.
-#}
{% macro get_incremental_replace_changed_sql(arg_dict) %}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set temporary = arg_dict['temp_relation'] -%}
    {%- set key = arg_dict['unique_key'] -%}
    with outdated as (
        select {{ columns }} from {{ target }}
        except
        select {{ columns }} from {{ temporary }}
    )

    delete from {{ target }}
    where {{ key }} in (select {{ key }} from outdated);

    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ temporary }}
    except
    select {{ columns }} from {{ target }}
{% endmacro %}
