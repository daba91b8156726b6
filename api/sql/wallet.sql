-- What is known of a wallet.
with data_version as (
    {{ data_version() }}
),

first_event as (
    select event.ts
    from marts.twap_status as event
    where event.wallet = %(wallet)s
    order by event.ts asc, event.twap_id collate "C" asc
    limit 1
),

last_event as (
    select event.ts
    from marts.twap_status as event
    where event.wallet = %(wallet)s
    order by event.ts desc, event.twap_id collate "C" desc
    limit 1
),

years as (
    select
        year,
        make_timestamptz(year, 1, 1, 0, 0, 0, 'UTC') as starts_at,
        make_timestamptz(year + 1, 1, 1, 0, 0, 0, 'UTC') as ends_at
    from generate_series(
        (select extract(year from ts at time zone 'UTC')::integer from first_event),
        (select extract(year from ts at time zone 'UTC')::integer from last_event)
    ) as year
),

twaps as (
    select
        count(*) as twaps,
        coalesce(sum(event_count), 0) as events,
        count(*) filter (where is_terminal = false) as open_twaps
    from marts.twap_latest
    where wallet = %(wallet)s
)

select
    {{ version_columns() }},
    {{ newest_event() }} as as_of,
    (select ts from first_event) as first_event,
    (select ts from last_event) as last_event,
    twaps.twaps,
    twaps.events,
    twaps.open_twaps,
    coalesce(
        (
            select array_agg(years.year order by years.year)
            from years
            where
                exists (
                    select from marts.twap_status as event
                    where
                        event.wallet = %(wallet)s
                        and event.ts >= years.starts_at
                        and event.ts < years.ends_at
                )
        ),
        '{}'
    ) as years
from twaps
