-- A page of a wallet's walk, as the text that is sent, and what the next page must know.
--
-- An item is the state of a TWAP as of the walk's end: the one event that held then. The
-- items lie in the order of idx_twap_status_wallet_ts, so a page is one range of it.
-- One statement is one snapshot: the rows and what is said of them belong together.
with data_version as (
    {{ data_version() }}
),

walk_build as (
    select completed_at, project_version
    from marts.etl_builds
    where build_id = %(walk_build)s
),

-- What loads have touched since the walk began, and how.
touched as (
    select
        latest.revised_at,
        exists (
            select from marts.twap_status as event
            where
                event.twap_id = latest.twap_id
                and event.wallet = latest.wallet
                and event.ts <= %(as_of)s
                and event.inserted_at > (select completed_at from walk_build)
        ) as has_new_event_in_walk
    from marts.twap_latest as latest
    where
        latest.wallet = %(wallet)s
        and latest.updated_at > (select completed_at from walk_build)
),

page as (
    select
        event.*,
        -- Numbered before the offset is taken off.
        row_number() over (order by event.ts desc, event.twap_id collate "C" desc)
        - %(skip)s as place
    from marts.twap_status as event
    where
        event.wallet = %(wallet)s
        -- The upper end is in the row comparison too, where the planner does not see
        -- it: without it the index on ts alone may look better.
        and event.ts between %(start)s and %(after_ts)s
        and (event.ts, event.twap_id collate "C")
        < (%(after_ts)s::timestamptz, %(after_twap_id)s::text)
        and (event.valid_to is null or event.valid_to > %(as_of)s)
        and {{ filtered(event) }}
    order by event.ts desc, event.twap_id collate "C" desc
    -- One more than asked for tells whether there is a next page.
    limit %(page_size)s::integer + 1 offset %(skip)s
),

open_states as (
    {{ open_states(event) }}
)

select
    {{ version_columns() }},
    case
        when %(walk_build)s::text is null then false
        else
            -- Built by other rules, or by a history of builds that is gone.
            coalesce((select project_version from walk_build), '')
            <> (select project_version from data_version)
            -- Half-built marts cannot show what has changed.
            or (select is_building from data_version)
            or exists (
                select from marts.twap_withdrawn as withdrawn
                where
                    withdrawn.wallet = %(wallet)s
                    and withdrawn.updated_at > (select completed_at from walk_build)
            )
            or exists (
                select from touched
                where
                    touched.has_new_event_in_walk
                    -- An object that told of it was published again: what it told
                    -- may be withdrawn, taken back to an older version, or moved
                    -- behind the walk's end, where nothing shows that it was in it.
                    or touched.revised_at > (select completed_at from walk_build)
            )
    end as is_changed,
    -- What comes later than the newest event of now is no part of this walk.
    least(%(as_of)s, {{ newest_event() }}) as as_of,
    (
        select count(*)
        from open_states
        where {{ filtered(open_states) }}
    ) as open_twaps,
    max(page.place) > %(page_size)s as has_more,
    max(page.ts) filter (where page.place = %(page_size)s) as last_ts,
    max(page.twap_id) filter (where page.place = %(page_size)s) as last_twap_id,
    convert_to(
        string_agg(
            {{ twap_json(page) }}
            || case
                when %(with_events)s
                    then
                        ',"events":['
                        || (
                            select
                                string_agg(
                                    {{ twap_json(event) }} || '}',
                                    ',' order by {{ newest_first(event) }}
                                )
                            from marts.twap_status as event
                            where
                                event.twap_id = page.twap_id
                                and event.wallet = page.wallet
                                and event.ts between %(start)s and %(as_of)s
                        )
                        || ']'
                else ''
            end
            || '}',
            ',' order by page.place
        ) filter (where page.place <= %(page_size)s),
        'UTF8'
    ) as twaps
from page
