{{ config(materialized='view', pre_hook='{{ lock_old_view() }}') }}

{#-
Straight from the sources: dbt replaces the staging views in each build and drops with
the old ones what stands on them, and this view must never be away.
-#}

with complete_loads as (
    select
        load_id,
        min(inserted_at) as completed_at
    from {{ source('staging', '_dlt_loads') }}
    where status = 0
    group by load_id
),

-- A kill can land a row of the ledger twice.
attempts as (
    select distinct on (objects.object_key, objects._dlt_load_id, objects.attempt)
        objects.*,
        complete_loads.completed_at,
        row(objects._dlt_load_id collate "C", objects.attempt) as observed
    from {{ source('staging', 's3_objects') }} as objects
    inner join complete_loads on objects._dlt_load_id = complete_loads.load_id
),

newest_attempts as (
    select distinct on (object_key)
        object_key,
        error as error_text,
        case when error is not null then last_modified end as error_last_modified,
        count(*) over (partition by object_key)::integer as attempts
    from attempts
    order by object_key asc, observed desc
),

shown_versions as (
    select distinct on (object_key) *
    from attempts
    where outcome in ('landed', 'known')
    order by object_key asc, observed desc
),

landings as (
    select distinct on (object_key, etag)
        object_key,
        etag,
        rows,
        completed_at
    from attempts
    where outcome = 'landed'
    order by object_key, etag, observed
)

select
    newest_attempts.object_key::text as object_key,
    shown_versions.last_modified,
    shown_versions.etag::text as etag,
    shown_versions.size_bytes,
    landings.rows as rows_ingested,
    newest_attempts.error_text::text as error_text,
    newest_attempts.error_last_modified,
    newest_attempts.attempts,
    landings.completed_at as ingested_at
from newest_attempts
left join shown_versions on newest_attempts.object_key = shown_versions.object_key
left join landings
    on
        shown_versions.object_key = landings.object_key
        and shown_versions.etag = landings.etag
