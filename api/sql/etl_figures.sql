-- The figures of the ETL, each under the name of its metric.
--
-- The totals are those of the runs, for these only grow. The sum over the objects is no
-- counter: it falls when an object is published again with fewer rows.
with runs as (
    select
        coalesce(sum(objects_loaded), 0)::float8 as objects,
        coalesce(sum(rows_loaded), 0)::float8 as rows,
        -- Runs over one object or over local files list nothing else.
        extract(
            epoch from max(listed_at) filter (where mode in ('incremental', 'since'))
        )::float8 as listed_at
    from marts.etl_runs
),

newest_run as (
    select exit_status::float8 as exit_status
    from marts.etl_runs
    where finished_at is not null
    order by finished_at desc
    limit 1
),

newest_build as (
    select extract(epoch from finished_at)::float8 as finished_at
    from marts.etl_builds
    where finished_at is not null
    order by finished_at desc
    limit 1
),

newest_hour as (
    select extract(epoch from last_event)::float8 as last_event
    from marts.twap_coverage
    order by hour desc
    limit 1
),

failed_objects as (
    select count(*)::float8 as objects
    from marts.etl_s3_ingest_log
    where error_text is not null
),

open_twaps as (
    select
        count(*)::float8 as twaps,
        (count(*) filter (where is_overdue))::float8 as overdue
    from marts.twap_latest
    where is_terminal = false
)

select
    (select objects from runs) as etl_objects_processed_total,
    (select rows from runs) as etl_rows_ingested_total,
    (select objects from failed_objects) as etl_objects_failed,
    (select last_event from newest_hour) as etl_last_event_timestamp_seconds,
    (select listed_at from runs) as etl_last_listing_timestamp_seconds,
    (select finished_at from newest_build) as etl_last_build_timestamp_seconds,
    (select exit_status from newest_run) as etl_last_run_exit_status,
    (select twaps from open_twaps) as etl_twaps_open,
    (select overdue from open_twaps) as etl_twaps_overdue
