(
    select row_to_json(item)::text
    from (
        select
            event.twap_id,
            event.asset,
            event.side,
            event.status,
            event.status_error,
            event.duration_minutes,
            replace((event.ts at time zone 'UTC')::text, ' ', 'T') || 'Z' as latest_ts,
            (
                select amounts
                from (
                    select
                        event.size_executed::text as size,
                        event.notional_executed::text as notional
                ) as amounts
            ) as executed,
            (
                select amounts
                from (select event.size_requested::text as size) as amounts
            ) as requested,
            marts.average_price(event.notional_executed, event.size_executed)::text
                as average_price,
            replace((event.order_ts at time zone 'UTC')::text, ' ', 'T') || 'Z'
                as started_at,
            case
                when event.is_terminal
                    then replace((event.ts at time zone 'UTC')::text, ' ', 'T') || 'Z'
            end as ended_at
    ) as item
)
