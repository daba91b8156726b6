-- What all wallets did in a span of days: those given, or the newest thirty. A TWAP counts
-- on the day on which it ended, with all that it executed.
with data_version as (
    {{ data_version() }}
),

newest_day as (
    select daily.day
    from marts.twap_daily as daily
    order by daily.day desc
    limit 1
),

span as (
    select
        coalesce(%(first_day)s::date, (select day from newest_day) - 29) as first_day,
        coalesce(%(last_day)s::date, (select day from newest_day)) as last_day
),

ended as materialized (
    select
        daily.day,
        daily.asset,
        daily.side,
        daily.status,
        daily.twaps,
        coalesce(daily.notional_executed, 0) as notional
    from marts.twap_daily as daily
    where
        daily.day >= (select first_day from span)
        and daily.day <= (select last_day from span)
        and (%(asset)s::text is null or daily.asset = %(asset)s)
),

outcomes_of_days as (
    select
        day,
        status,
        sum(twaps) as twaps
    from ended
    group by day, status
),

outcomes_of_assets as (
    select
        asset,
        status,
        sum(twaps) as twaps
    from ended
    group by asset, status
),

days as (
    select
        day,
        sum(twaps) as twaps,
        coalesce(sum(notional) filter (where side = 'B'), 0) as bought,
        coalesce(sum(notional) filter (where side = 'A'), 0) as sold,
        coalesce(sum(notional) filter (where side not in ('A', 'B')), 0) as other
    from ended
    group by day
),

assets as (
    select
        asset,
        sum(twaps) as twaps,
        sum(notional) as notional,
        coalesce(sum(notional) filter (where side = 'B'), 0) as bought
    from ended
    group by asset
),

outcomes as (
    select
        status,
        sum(twaps) as twaps
    from ended
    group by status
),

largest as (
    select
        largest.day,
        largest.twap_id,
        largest.wallet,
        largest.asset,
        largest.side,
        largest.status,
        largest.notional_executed,
        largest.average_price,
        largest.rank
    from marts.twap_daily_largest as largest
    where
        largest.day >= (select first_day from span)
        and largest.day <= (select last_day from span)
        and (
            largest.rank <= %(largest_of_a_day)s
            -- Of one asset, all that are among the largest of all.
            or largest.asset = %(asset)s
        )
        and (%(asset)s::text is null or largest.asset = %(asset)s)
)

select
    {{ version_columns() }},
    (select span.first_day from span) as first_day,
    (select span.last_day from span) as last_day,
    (select sum(days.twaps) from days) as twaps,
    (select sum(assets.notional)::text from assets) as notional,
    (
        select
            json_agg(
                json_build_object(
                    'day', days.day,
                    'bought', days.bought::text,
                    'sold', days.sold::text,
                    'other', days.other::text,
                    'outcomes', (
                        select json_object_agg(each.status, each.twaps)
                        from outcomes_of_days as each
                        where each.day = days.day
                    )
                )
                order by days.day
            )::text
        from days
    ) as days,
    (
        select
            json_agg(
                json_build_object(
                    'asset', assets.asset,
                    'twaps', assets.twaps,
                    'notional', assets.notional::text,
                    'bought', assets.bought::text,
                    'outcomes', (
                        select json_object_agg(each.status, each.twaps)
                        from outcomes_of_assets as each
                        where each.asset = assets.asset
                    )
                )
                order by assets.notional desc, assets.asset collate "C" asc
            )::text
        from assets
    ) as assets,
    (
        select
            json_agg(
                json_build_object('status', outcomes.status, 'twaps', outcomes.twaps)
                order by outcomes.twaps desc, outcomes.status collate "C" asc
            )::text
        from outcomes
    ) as outcomes,
    (
        select
            json_agg(
                json_build_object(
                    'day', largest.day,
                    'twap_id', largest.twap_id,
                    'wallet', largest.wallet,
                    'asset', largest.asset,
                    'side', largest.side,
                    'status', largest.status,
                    'notional', largest.notional_executed::text,
                    'price', largest.average_price::text
                )
                order by largest.day desc, largest.rank asc
            )::text
        from largest
    ) as largest
