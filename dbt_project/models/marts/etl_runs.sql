{{ config(materialized='view', pre_hook='{{ lock_old_view() }}') }}

{#- Straight from the source, as etl_s3_ingest_log is and for its reason. -#}

select
    run_id,
    started_at,
    listed_at,
    finished_at,
    mode,
    exit_status,
    objects_listed,
    objects_new,
    objects_loaded,
    objects_failed,
    objects_not_fetched,
    oldest_not_fetched,
    bytes_loaded,
    rows_loaded
from {{ source('staging', 'runs') }}
