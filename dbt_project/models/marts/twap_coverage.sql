{{
    config(
        unique_key='hour',
        incremental_strategy='replace_changed',
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

hours_with_events as (
    select * from counted
    {%- if is_incremental() %}

    union all

    select
        hour,
        events,
        activated,
        terminal,
        objects,
        first_event,
        last_event
    from {{ this }}
    where
        not is_empty
        and not {{ is_touched('hour') }}
    {%- endif %}
),

all_hours as (
    select generate_series(min(hour), max(hour), interval '1 hour') as hour
    from hours_with_events
)

select
    all_hours.hour,
    coalesce(hours_with_events.events, 0) as events,
    coalesce(hours_with_events.activated, 0) as activated,
    coalesce(hours_with_events.terminal, 0) as terminal,
    coalesce(hours_with_events.objects, 0) as objects,
    hours_with_events.hour is null as is_empty,
    hours_with_events.first_event,
    hours_with_events.last_event
from all_hours
left join hours_with_events on all_hours.hour = hours_with_events.hour
