{#-
A table that each build makes anew and that nobody reads outside of builds. One statement
does it: dbt's own `table` keeps the old one for its readers, with many a round trip more.

Unlogged, since it need not outlive a crash; `fail_if_forgotten` says what that asks for.
-#}
{% materialization rebuilt, adapter='postgres' %}
    {%- set relation = this.incorporate(type='table') -%}

    {{ run_hooks(pre_hooks) }}
    {% call statement('main') %}
        drop table if exists {{ relation }};
        create unlogged table {{ relation }} as
        {{ sql }}
        ;
        analyze {{ relation }}
    {% endcall %}
    {{ run_hooks(post_hooks) }}
    {%- do adapter.commit() -%}

    {{ return({'relations': [relation]}) }}
{% endmaterialization %}
