{{
    config(
        materialized='incremental',
        unique_key='s3_object_key',
    )
}}

-- A kill can write a row of the ledger twice.
with good_observations as (
    select distinct
        objects.object_key as s3_object_key,
        objects.etag as s3_etag,
        objects.last_modified,
        loads.completed_at,
        -- Load ids are seconds since 1970 with a fraction, so "C" is the order of time.
        row(objects.load_id collate "C", objects.attempt) as observed
    from {{ ref('stg_s3_objects') }} as objects
    inner join {{ ref('int_loads') }} as loads on objects.load_id = loads.load_id
    where
        objects.outcome in ('landed', 'known')
        and {{ is_touched('s3_object_key', 'objects.object_key') }}
),

observations as (
    select
        *,
        lead(completed_at) over newer_ones as followed_at,
        row_number() over newer_ones > 1 as is_revision,
        lead(s3_object_key) over newer_ones is null as is_newest
    from good_observations
    window newer_ones as (partition by s3_object_key order by observed)
)

select
    s3_object_key,
    s3_etag,
    bool_or(is_newest) as is_shown,
    -- The same version may be published again with another time: the newest holds.
    (array_agg(last_modified order by observed desc))[1] as last_modified,
    max(greatest(completed_at, followed_at)) as touched_at,
    max(
        greatest(case when is_revision then completed_at end, followed_at)
    ) as revised_at
from observations
group by s3_object_key, s3_etag
