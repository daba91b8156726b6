{{ config(unique_key='day') }}

select
    (rows.ts at time zone 'UTC')::date as day,
    rows.asset,
    rows.side,
    rows.status,
    count(*)::integer as twaps,
    sum(rows.size_executed) as size_executed,
    sum(rows.notional_executed) as notional_executed,
    count(distinct rows.wallet)::integer as wallets
from {{ rows_in_touched(ref('twap_latest'), 'day') }}
where rows.is_terminal
group by (rows.ts at time zone 'UTC')::date, rows.asset, rows.side, rows.status
