-- What a wallet's TWAPs executed in a window, by asset and side and by day, and how they
-- stood at its end. An amount counts on the day of the event that reported it: an event
-- adds its amounts then, and the next one takes them away when it adds its own.
with data_version as (
    {{ data_version() }}
),

in_window as materialized (
    select
        event.ts,
        event.valid_to,
        event.asset,
        event.side,
        event.status,
        coalesce(event.size_executed, 0) as size,
        coalesce(event.notional_executed, 0) as notional,
        coalesce(event.order_ts, %(start)s) as placed_at
    from marts.twap_status as event
    where
        event.wallet = %(wallet)s
        and event.ts between %(window_start)s and %(as_of)s
),

before_window as (
    {{ before_window(event) }}
),

changes as (
    select
        ts as at,
        asset,
        side,
        1 as twaps,
        size,
        notional
    from in_window

    union all

    select
        valid_to as at,
        asset,
        side,
        -1 as twaps,
        -size as size,
        -notional as notional
    from in_window
    where valid_to <= %(as_of)s

    union all

    select
        valid_to as at,
        asset,
        side,
        0 as twaps,
        -coalesce(size_executed, 0) as size,
        -coalesce(notional_executed, 0) as notional
    from before_window
),

totals as (
    select
        asset,
        side,
        sum(twaps) as twaps,
        sum(size) as size,
        sum(notional) as notional
    from changes
    group by asset, side
),

days as (
    select
        (at at time zone 'UTC')::date as day,
        coalesce(sum(notional) filter (where side = 'B'), 0) as bought,
        coalesce(sum(notional) filter (where side = 'A'), 0) as sold,
        coalesce(sum(notional) filter (where side not in ('A', 'B')), 0) as other
    from changes
    group by (at at time zone 'UTC')::date
),

outcomes as (
    select
        status,
        count(*) as twaps
    from in_window
    where valid_to is null or valid_to > %(as_of)s
    group by status
)

select
    {{ version_columns() }},
    -- What is taken off was reported then or later.
    (select min(placed_at) from in_window) as first_placed,
    (
        select
            json_agg(
                json_build_object(
                    'asset', totals.asset,
                    'side', totals.side,
                    'twaps', totals.twaps,
                    'size', totals.size::text,
                    'notional', totals.notional::text
                )
                order by
                    totals.notional desc,
                    totals.asset collate "C" asc,
                    totals.side asc
            )::text
        from totals
    ) as totals,
    (
        select
            json_agg(
                json_build_object(
                    'day', days.day,
                    'bought', days.bought::text,
                    'sold', days.sold::text,
                    'other', days.other::text
                )
                order by days.day
            )::text
        from days
        where days.bought <> 0 or days.sold <> 0 or days.other <> 0
    ) as days,
    (
        select
            json_agg(
                json_build_object('status', outcomes.status, 'twaps', outcomes.twaps)
                order by outcomes.twaps desc, outcomes.status collate "C" asc
            )::text
        from outcomes
    ) as outcomes,
    (select sum(totals.notional)::text from totals) as notional
