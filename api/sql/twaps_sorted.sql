-- A page of a wallet's TWAPs as of a window's end, in an order of the reader's choice.
-- All of them are sorted for it: it is for people, who see one page of it.
with data_version as (
    {{ data_version() }}
),

states as (
    select
        event.*,
        case %(sort)s::text
            when 'started' then extract(epoch from event.order_ts)
            when 'ended' then extract(epoch from event.ts)
            when 'requested' then event.size_requested
            when 'executed' then event.size_executed
            when 'notional' then event.notional_executed
            when 'price' then event.average_price
            when 'duration' then event.duration_minutes
        end as number_key,
        case %(sort)s::text
            when 'asset' then event.asset
            when 'side' then event.side
            when 'status' then event.status
        end collate "C" as text_key
    from marts.twap_status as event
    where
        {{ exported(event) }}
        and event.ts <= %(as_of)s
),

page as (
    select
        states.*,
        row_number() over (
            order by
                case when %(is_descending)s then states.number_key end desc nulls last,
                case when not %(is_descending)s then states.number_key end asc
                nulls last,
                case when %(is_descending)s then states.text_key end desc,
                case when not %(is_descending)s then states.text_key end asc,
                states.ts desc,
                states.twap_id collate "C" desc
        ) as place
    from states
),

open_states as (
    {{ open_states(event) }}
),

reach as (
    select least(%(as_of)s, {{ newest_event() }}) as as_of
)

select
    {{ version_columns() }},
    (select reach.as_of from reach) as as_of,
    (
        select count(*)
        from open_states
        where {{ filtered(open_states) }}
    ) as open_twaps,
    count(*) as matching,
    convert_to(
        string_agg(
            {{ twap_json(page) }}
            || ',"is_overdue":'
            || coalesce(
                {{ overdue_from(page) }} < (select reach.as_of from reach), false
            )
            || '}',
            ',' order by page.place
        ) filter (
            where
                page.place > %(skip)s::bigint
                and page.place <= %(skip)s::bigint + %(page_size)s
        ),
        'UTF8'
    ) as twaps
from page
