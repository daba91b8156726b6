-- A page of what loads have changed of a wallet's TWAPs, in the order of the changes: the
-- TWAPs in their latest state, and those that are no more.
with data_version as (
    {{ data_version() }}
),

-- What is loaded while a client walks is for its next walk.
walk as (
    select coalesce(%(until)s::timestamptz, data_version.completed_at) as until
    from data_version
),

changes as (
    (
        select
            latest.twap_id,
            latest.updated_at,
            false as is_withdrawn
        from marts.twap_latest as latest
        where
            latest.wallet = %(wallet)s
            and (latest.updated_at, latest.twap_id collate "C")
            > (%(after)s::timestamptz, %(after_twap_id)s::text)
            and latest.updated_at <= (select until from walk)
        order by latest.updated_at asc, latest.twap_id collate "C" asc
        limit %(page_size)s::integer + 1
    )

    union all

    (
        select
            withdrawn.twap_id,
            withdrawn.updated_at,
            true as is_withdrawn
        from marts.twap_withdrawn as withdrawn
        where
            withdrawn.wallet = %(wallet)s
            and (withdrawn.updated_at, withdrawn.twap_id collate "C")
            > (%(after)s::timestamptz, %(after_twap_id)s::text)
            and withdrawn.updated_at <= (select until from walk)
        order by withdrawn.updated_at asc, withdrawn.twap_id collate "C" asc
        limit %(page_size)s::integer + 1
    )
),

page as (
    select
        *,
        row_number() over (order by updated_at asc, twap_id collate "C" asc) as place
    from changes
    order by updated_at asc, twap_id collate "C" asc
    limit %(page_size)s::integer + 1
),

open_twaps as (
    select count(*) as open_twaps
    from marts.twap_status as event
    where
        event.wallet = %(wallet)s
        and event.is_terminal = false
        and event.valid_to is null
        and {{ lasting(event) }}
)

select
    {{ version_columns() }},
    (select until from walk) as until,
    -- Another server, which has yet to get what the walk began with.
    coalesce(
        %(until)s::timestamptz > (select completed_at from data_version), false
    ) as lags,
    {{ newest_event() }} as as_of,
    (select open_twaps from open_twaps) as open_twaps,
    max(page.place) > %(page_size)s as has_more,
    max(page.updated_at) filter (where page.place = %(page_size)s) as last_updated_at,
    max(page.twap_id) filter (where page.place = %(page_size)s) as last_twap_id,
    convert_to(
        string_agg(
            {{ twap_json(event) }}
            || case
                when %(with_events)s
                    then
                        ',"events":['
                        || (
                            select
                                string_agg(
                                    {{ twap_json(earlier) }} || '}',
                                    ',' order by {{ newest_first(earlier) }}
                                )
                            from marts.twap_status as earlier
                            where
                                earlier.twap_id = page.twap_id
                                and earlier.wallet = %(wallet)s
                        )
                        || ']'
                else ''
            end
            || format(
                ',"updated_at":"%%sZ"}', {{ utc(page.updated_at) }}
            ),
            ',' order by page.place
        ) filter (
            where
                page.place <= %(page_size)s
                and not page.is_withdrawn
                -- Else a build under way has taken its events away, and is about to
                -- say so.
                and event.twap_id is not null
        ),
        'UTF8'
    ) as twaps,
    convert_to(
        string_agg(
            format(
                '{"twap_id":%%s,"updated_at":"%%sZ"}',
                to_json(page.twap_id),
                {{ utc(page.updated_at) }}
            ),
            ',' order by page.place
        ) filter (where page.place <= %(page_size)s and page.is_withdrawn),
        'UTF8'
    ) as withdrawn
from page
left join marts.twap_status as event
    on
        page.twap_id = event.twap_id
        and event.wallet = %(wallet)s
        and event.valid_to is null
