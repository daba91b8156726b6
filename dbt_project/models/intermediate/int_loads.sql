{{ config(post_hook="{{ begin_build() }}") }}

{#- Not by ref: etl_builds is the last model of a build, and this is the first. -#}
{%- set builds = adapter.get_relation(target.database, target.schema, 'etl_builds') %}

select
    loads.load_id,
    loads.completed_at,
    {% if builds and not flags.FULL_REFRESH -%}
        not exists (
            select from {{ builds }} as builds
            where
                builds.finished_at is not null
                and loads.load_id = any(builds.load_ids)
        )
    {%- else -%}
        true
    {%- endif %} as is_new
from {{ ref('stg_loads') }} as loads
