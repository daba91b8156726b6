{{
    config(
        unique_key='twap_id',
        meta={
            'indexes': {
                'idx_twap_status_wallet_ts': '(wallet, ts desc, twap_id collate "C" desc)',
                'idx_twap_status_twap_id': '(twap_id)',
                'idx_twap_status_ts': '(ts)',
                'idx_twap_status_lasting': "(wallet, ts) where valid_to - ts > interval '8 days' or (valid_to is null and is_terminal is not true)",
            },
        },
    )
}}
-- depends_on: {{ touched('twap_id') }}

-- The price here, where several processes work: what follows the sort is done by one.
with landed_rows as (
    {{ evaluated_once() }}
    select
        *,
        {{ function('average_price') }}(notional_executed, size_executed)
            as average_price
    from {{ ref('int_landed_rows') }}
    where
        is_shown
        and reason is null
),

-- The newest object version first. What is left after the row number is one row that a
-- kill made dlt land twice: such rows are neighbours, and the first that landed leads.
-- By wallet first, as in the end: only this sort sees all rows at once, the later ones
-- those of one wallet.
copies as (
    select
        *,
        row(s3_object_key, row_number) as address,
        lag(row(s3_object_key, row_number)) over newest_first as address_before,
        row_number() over newest_first as place
    from landed_rows
    window
        newest_first as (
            partition by wallet, twap_id, ts, status
            order by
                last_modified desc,
                size_executed desc nulls last,
                s3_object_key collate "C" desc,
                row_number desc,
                landed_at asc
        )
),

counted as (
    select
        *,
        count(*) filter (where address is distinct from address_before)
            over (partition by wallet, twap_id, ts, status)
            as copies
    from copies
),

events as (
    select
        *,
        lead(ts) over (
            partition by wallet, twap_id
            order by {{ order_of_events() }}
        ) as valid_to
    from counted
    where place = 1
)

select
    -- ids
    twap_id,
    wallet,

    -- times
    ts,
    order_ts,
    valid_to,

    -- text
    asset,
    side,
    status,
    status_error,

    -- numbers
    size_requested,
    size_executed,
    notional_executed,
    average_price,
    duration_minutes,

    -- booleans
    is_terminal,
    reduce_only,
    randomize,

    -- lineage
    s3_object_key,
    s3_etag,
    row_number,
    copies::integer as copies,
    raw_payload,
    landed_at as inserted_at
from events
-- Rows of a wallet lie together on disk.
order by wallet, ts, twap_id
