{{ config(unique_key='day') }}

with ended as (
    select
        (rows.ts at time zone 'UTC')::date as day,
        rows.twap_id,
        rows.wallet,
        rows.asset,
        rows.side,
        rows.status,
        rows.size_executed,
        rows.notional_executed,
        rows.average_price,
        rows.started_at,
        rows.ended_at
    from {{ rows_in_touched(ref('twap_latest'), 'day') }}
    where
        rows.is_terminal
        and rows.notional_executed > 0
),

ranked as (
    select
        day,
        row_number() over (
            partition by day
            order by
                notional_executed desc,
                twap_id collate "C" asc,
                wallet collate "C" asc
        )::integer as rank,
        twap_id,
        wallet,
        asset,
        side,
        status,
        size_executed,
        notional_executed,
        average_price,
        started_at,
        ended_at
    from ended
)

select *
from ranked
where rank <= 10
