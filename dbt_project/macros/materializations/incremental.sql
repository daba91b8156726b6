{#-
Our models that grow with the history. A full build is dbt's own; an increment deletes
what the build touches and inserts what the model's select returns, in one transaction.
`unique_key` names the column that the touched set is a set of.

The rows to delete come from the touched set, not from the keys that come back as in
dbt's own delete+insert: a TWAP whose last event was withdrawn comes back with no row,
and must go all the same. The select comes after the delete, so `this` is what is not
touched.

dbt's own increment would make a temporary table, ask twice for the columns of both, and
write all comments again: a dozen round trips, for what only another version of the
project changes, which is built in full.
-#}
{% materialization incremental, adapter='postgres' %}
    {%- if not is_incremental() -%}
        {{ return(materialization_incremental_default()) }}
    {%- endif -%}
    {%- set relation = this.incorporate(type='table') -%}
    {%- set columns = model.columns.keys() | join(', ') -%}
    {%- set key = config.require('unique_key') -%}

    {{ run_hooks(pre_hooks) }}
    {% call statement('main') %}
        delete from {{ relation }}
        where {{ key }} in ({{ touched_keys(key) }});

        insert into {{ relation }} ({{ columns }})
        select {{ columns }}
        from (
            {{ sql }}
        ) as made;

        {{ fail_if_forgotten() }}
    {% endcall %}
    {{ run_hooks(post_hooks) }}
    {%- do adapter.commit() -%}

    {{ return({'relations': [relation]}) }}
{% endmaterialization %}
