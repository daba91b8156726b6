-- What a wallet's TWAPs executed in a year, by asset and side: each TWAP's state as of the
-- year's end less its state as of the year's start, so that years always add up.
with data_version as (
    {{ data_version() }}
),

at_the_end as (
    select
        event.twap_id,
        event.asset,
        event.side,
        coalesce(event.size_executed, 0) as size,
        coalesce(event.notional_executed, 0) as notional,
        coalesce(event.order_ts, %(start)s) as placed_at
    from marts.twap_status as event
    where
        event.wallet = %(wallet)s
        and event.ts between %(window_start)s and %(as_of)s
        and (event.valid_to is null or event.valid_to > %(as_of)s)
),

at_the_start as (
    {{ before_window(event) }}
),

changes as (
    select
        asset,
        side,
        1 as twaps,
        size,
        notional,
        placed_at
    from at_the_end

    union all

    select
        asset,
        side,
        0 as twaps,
        -coalesce(size_executed, 0) as size,
        -coalesce(notional_executed, 0) as notional,
        null as placed_at
    from at_the_start
),

totals as (
    select
        asset,
        side,
        sum(twaps) as twaps,
        sum(size) as size,
        sum(notional) as notional,
        min(placed_at) as first_placed
    from changes
    group by asset, side
),

open_states as (
    {{ open_states(event) }}
)

select
    {{ version_columns() }},
    least(%(as_of)s, {{ newest_event() }}) as as_of,
    -- What is taken off was reported then or later.
    (select min(totals.first_placed) from totals) as first_placed,
    (select count(*) from open_states) as open_twaps,
    convert_to(
        (
            select
                string_agg(
                    format(
                        '{"asset":%%s,"side":%%s,"twaps":%%s,'
                        '"executed":{"size":"%%s","notional":"%%s"}}',
                        to_json(totals.asset),
                        to_json(totals.side),
                        totals.twaps,
                        totals.size,
                        totals.notional
                    ),
                    ',' order by totals.asset collate "C", totals.side collate "C"
                )
            from totals
        ),
        'UTF8'
    ) as totals,
    convert_to(
        (
            select
                string_agg(
                    {{ twap_json(still_open) }}
                    || format(
                        ',"executed_in_year":{"size":"%%s","notional":"%%s"}}',
                        case
                            when still_open.ts < %(window_start)s then 0
                            else
                                coalesce(still_open.size_executed, 0)
                                - coalesce(before.size_executed, 0)
                        end,
                        case
                            when still_open.ts < %(window_start)s then 0
                            else
                                coalesce(still_open.notional_executed, 0)
                                - coalesce(before.notional_executed, 0)
                        end
                    ),
                    ',' order by
                        still_open.ts desc,
                        still_open.twap_id collate "C" desc
                )
            from open_states as still_open
            left join at_the_start as before on still_open.twap_id = before.twap_id
        ),
        'UTF8'
    ) as open_items
