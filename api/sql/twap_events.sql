-- Every event of a TWAP id, newest first, as the text that is sent.
select
    (
        select builds.build_id
        from marts.etl_builds as builds
        where builds.finished_at is not null
        order by builds.finished_at desc
        limit 1
    ) as build_id,
    string_agg(
        (
            select row_to_json(item)::text
            from (
                select
                    event.twap_id,
                    event.wallet,
                    replace((event.ts at time zone 'UTC')::text, ' ', 'T') || 'Z' as ts,
                    event.asset,
                    event.side,
                    event.size_requested::text as size_requested,
                    event.size_executed::text as size_executed,
                    event.notional_executed::text as notional_executed,
                    marts.average_price(
                        event.notional_executed, event.size_executed
                    )::text as average_price,
                    event.status,
                    event.status_error,
                    event.duration_minutes,
                    replace((event.order_ts at time zone 'UTC')::text, ' ', 'T') || 'Z'
                        as started_at,
                    case
                        when event.is_terminal
                            then
                                replace((event.ts at time zone 'UTC')::text, ' ', 'T')
                                || 'Z'
                    end as ended_at,
                    event.raw_payload as raw
            ) as item
        ),
        ',' order by
            -- The order of a TWAP's events, newest first.
            event.ts desc,
            event.wallet collate "C" asc,
            case event.is_terminal when true then 1 when false then 3 else 2 end asc,
            event.size_executed desc nulls last,
            event.status collate "C" desc
    ) as rows
from marts.twap_status as event
where event.twap_id = %(twap_id)s
