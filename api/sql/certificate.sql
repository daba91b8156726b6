-- What decides whether an answer is whole, over all time: read once per data version.
with data_version as (
    {{ data_version() }}
),

newest_listing as (
    select
        runs.listed_at,
        runs.objects_not_fetched,
        runs.oldest_not_fetched
    from marts.etl_runs as runs
    where
        runs.finished_at is not null
        and runs.listed_at is not null
        -- Runs over one object or over local files list nothing else.
        and runs.mode in ('incremental', 'since')
    order by runs.finished_at desc
    limit 1
),

objects as (
    select
        object_key,
        last_modified,
        error_last_modified,
        error_text,
        ingested_at
    from marts.etl_s3_ingest_log
),

rejected as (
    select
        objects.last_modified,
        count(*)::integer as rows
    from marts.twap_status_rejected as rejected_rows
    inner join objects on rejected_rows.s3_object_key = objects.object_key
    group by objects.last_modified
),

-- Hours without an event that follow one another are one span of time.
empty_hours as (
    select
        hour,
        hour - row_number() over (order by hour) * interval '1 hour' as span
    from marts.twap_coverage
    where is_empty
),

empty_spans as (
    select
        min(hour) as first_hour,
        max(hour) + interval '1 hour' as until
    from empty_hours
    group by span
)

select
    data_version.build_id,
    data_version.version,
    data_version.run_id,
    data_version.is_building,
    newest_listing.listed_at,
    coalesce(newest_listing.objects_not_fetched, 0) as objects_not_fetched,
    newest_listing.oldest_not_fetched,
    (select min(event.ts) from marts.twap_status as event) as first_event,
    {{ newest_event() }} as last_event,
    -- What landed and is in no finished build; and an older version that an object shows
    -- again lands nothing, but the run that saw it broke.
    exists(
        select from objects
        where
            objects.ingested_at
            > coalesce(data_version.completed_at, '-infinity'::timestamptz)
    )
    or exists(
        select from marts.etl_runs as runs
        where
            runs.run_id = data_version.run_id
            and runs.exit_status not in (0, 3)
    ) as is_behind,
    coalesce(
        (
            select array_agg(error_last_modified)
            from objects
            where error_text is not null
        ),
        '{}'
    ) as failed_objects,
    coalesce((select array_agg(last_modified) from rejected), '{}')
        as rejected_last_modified,
    coalesce((select array_agg(rows) from rejected), '{}') as rejected_rows,
    coalesce((select array_agg(first_hour order by first_hour) from empty_spans), '{}')
        as empty_since,
    coalesce((select array_agg(until order by first_hour) from empty_spans), '{}')
        as empty_until
from data_version
left join newest_listing on true
