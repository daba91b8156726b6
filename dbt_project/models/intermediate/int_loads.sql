{{ config(post_hook="{{ begin_build() }}") }}

{#- Not by ref: etl_builds is the last model of a build, and this is the first. -#}
{%- set builds = api.Relation.create(
    database=target.database, schema=target.schema, identifier='etl_builds'
) %}

select
    loads.load_id,
    loads.completed_at,
    {% if is_full_build() -%}
        true
    {%- else -%}
        not exists (
            select from {{ builds }} as builds
            where
                builds.finished_at is not null
                and loads.load_id = any(builds.load_ids)
        )
    {%- endif %} as is_new
from {{ ref('stg_loads') }} as loads
