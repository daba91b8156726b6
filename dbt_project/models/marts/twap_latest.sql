{{
    config(
        unique_key='twap_id',
        meta={
            'indexes': {
                'idx_twap_latest_wallet_ts': '(wallet, ts desc, twap_id collate "C" desc)',
                'idx_twap_latest_wallet_updated_at': '(wallet, updated_at, twap_id collate "C")',
                'idx_twap_latest_terminal_ts': '(ts) where is_terminal',
                'idx_twap_latest_open': '(twap_id) where is_terminal = false',
            },
        },
        post_hook="{{ update_overdue() }}",
    )
}}

with events as (
    select *
    from {{ ref('twap_status') }}
    where {{ is_touched('twap_id') }}
),

event_counts as (
    select
        twap_id,
        wallet,
        count(*)::integer as event_count
    from events
    group by twap_id, wallet
),

-- Every landed row of the TWAP counts, whatever became of it.
updates as (
    select
        twap_id,
        wallet,
        max(touched_at) as updated_at,
        max(revised_at) as revised_at
    from {{ ref('int_landed_rows') }}
    group by twap_id, wallet
)

select
    -- ids
    events.twap_id,
    events.wallet,

    -- times
    events.ts,
    events.order_ts,
    events.order_ts as started_at,
    case when events.is_terminal then events.ts end as ended_at,

    -- text
    events.asset,
    events.side,
    events.status,
    events.status_error,

    -- numbers
    events.size_requested,
    events.size_executed,
    events.notional_executed,
    events.average_price,
    events.duration_minutes,
    event_counts.event_count,

    -- booleans
    events.is_terminal,
    {{ is_overdue('events') }} as is_overdue,
    events.reduce_only,
    events.randomize,

    -- lineage
    events.s3_object_key,
    events.s3_etag,
    events.row_number,
    events.copies,
    events.inserted_at,
    updates.updated_at,
    updates.revised_at
from events
inner join event_counts
    on events.twap_id = event_counts.twap_id and events.wallet = event_counts.wallet
inner join updates
    on events.twap_id = updates.twap_id and events.wallet = updates.wallet
where events.valid_to is null
order by events.wallet, events.ts, events.twap_id
