-- Every event of a TWAP id, newest first, as the text that is sent.
with data_version as (
    {{ data_version() }}
)

select
    {{ version_columns() }},
    convert_to(
        string_agg(
            left(
                (
                    select row_to_json(item)::text
                    from (
                        select
                            event.twap_id,
                            event.wallet,
                            {{ utc(event.ts) }} || 'Z' as ts,
                            event.asset,
                            event.side,
                            event.size_requested::text as size_requested,
                            event.size_executed::text as size_executed,
                            event.notional_executed::text as notional_executed,
                            event.average_price::text as average_price,
                            event.status,
                            event.status_error,
                            event.duration_minutes,
                            {{ utc(event.order_ts) }} || 'Z' as started_at,
                            case
                                when event.is_terminal
                                    then {{ utc(event.ts) }} || 'Z'
                            end as ended_at,
                            event.raw_payload as raw
                    ) as item
                ),
                -1
            )
            || case when %(with_provenance)s then {{ provenance(event) }} else '' end
            || '}',
            ',' order by
                event.ts desc,
                event.wallet collate "C" asc,
                {{ newest_first(event) }}
        ),
        'UTF8'
    ) as rows
from marts.twap_status as event
where event.twap_id = %(twap_id)s
