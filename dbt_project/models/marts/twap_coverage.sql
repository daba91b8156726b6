{{
    config(
        unique_key='hour',
        post_hook="{{ delete_hours_outside() }}",
    )
}}

with counted as (
    select
        date_trunc('hour', rows.ts, 'UTC') as hour,
        count(*)::integer as events,
        count(*) filter (where rows.status = 'activated')::integer as activated,
        count(*) filter (where rows.is_terminal)::integer as terminal,
        count(distinct rows.s3_object_key)::integer as objects,
        min(rows.ts) as first_event,
        max(rows.ts) as last_event
    from {{ rows_in_touched(ref('twap_status'), 'hour') }}
    group by date_trunc('hour', rows.ts, 'UTC')
),

{%- if is_incremental() %}

-- The touched hours are deleted by now: these are hours with events that stay.
kept as (
    select
        {{ first_hour_with_events() }} as first_hour,
        {{ last_hour_with_events() }} as last_hour
),

edges as (
    select
        kept.first_hour as first_kept,
        kept.last_hour as last_kept,
        least(kept.first_hour, min(counted.hour)) as first_hour,
        greatest(kept.last_hour, max(counted.hour)) as last_hour
    from kept
    left join counted on true
    group by kept.first_hour, kept.last_hour
),

-- What is missing now: touched hours, and all from what stays to new edges.
candidates as (
    select
        generate_series(
            first_hour, coalesce(first_kept, last_hour), interval '1 hour'
        ) as hour
    from edges

    union

    select generate_series(last_kept, last_hour, interval '1 hour') as hour
    from edges

    union

    select touched.hour
    from {{ touched('hour') }} as touched
    inner join edges on touched.hour between edges.first_hour and edges.last_hour
),

all_hours as (
    select hour
    from candidates
    where
        not exists (
            select from {{ this }} as present
            where present.hour = candidates.hour
        )
)
{%- else %}

all_hours as (
    select generate_series(min(hour), max(hour), interval '1 hour') as hour
    from counted
)
{%- endif %}

select
    all_hours.hour,
    coalesce(counted.events, 0) as events,
    coalesce(counted.activated, 0) as activated,
    coalesce(counted.terminal, 0) as terminal,
    coalesce(counted.objects, 0) as objects,
    counted.hour is null as is_empty,
    counted.first_event,
    counted.last_event
from all_hours
left join counted on all_hours.hour = counted.hour
