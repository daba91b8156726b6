{#-
Writes the row of a build that begins, unfinished, with the loads that it takes; it runs
when int_loads has fixed them. The last model of the build, etl_builds, finishes the row.
In the very first build etl_builds is not there yet, and nothing needs to be said.
-#}
{% macro begin_build() -%}
    {%- set builds = adapter.get_relation(
        target.database, generate_schema_name('marts'), 'etl_builds'
    ) -%}
    {%- if builds -%}
        insert into {{ builds }} (
            build_id, version, completed_at, load_ids, project_version, started_at, finished_at
        )
        {{ this_build(this, 'null::timestamptz') }}
    {%- endif -%}
{%- endmacro %}

{#- The row of this build, from the loads in int_loads. -#}
{% macro this_build(loads, finished_at) -%}
    select
        '{{ invocation_id }}'::text as build_id,
        max(load_id collate "C") collate "default" as version,
        max(completed_at) as completed_at,
        coalesce(array_agg(load_id order by load_id collate "C") filter (where is_new), '{}') as load_ids,
        '{{ var('project_version') }}'::text as project_version,
        '{{ run_started_at }}'::timestamptz as started_at,
        {{ finished_at }} as finished_at
    from {{ loads }}
{%- endmacro %}
