{{ config(post_hook="{{ begin_build() }}") }}

with taken as (
    {%- if is_full_build() %}
    select null::text as load_id
    where false
    {%- else %}
    -- Not by ref: etl_builds is the last model of a build, and this is the first.
    select unnest(load_ids) as load_id
    from {{ generate_schema_name('marts') }}.etl_builds
    where finished_at is not null
    {%- endif %}
)

select
    loads.load_id,
    loads.completed_at,
    not exists (
        select from taken
        where taken.load_id = loads.load_id
    ) as is_new
from {{ ref('stg_loads') }} as loads
