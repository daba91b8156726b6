format(
    -- An item without its closing brace, for what may follow. Half again as quick as
    -- row_to_json over nested rows.
    '{"twap_id":%%s,"asset":%%s,"side":%%s,"status":%%s,"status_error":%%s,'
    '"duration_minutes":%%s,"latest_ts":%%s,"executed":{"size":%%s,"notional":%%s},'
    '"requested":{"size":%%s},"average_price":%%s,"started_at":%%s,"ended_at":%%s'
    '%%s%%s',
    to_json(event.twap_id),
    to_json(event.asset),
    to_json(event.side),
    to_json(event.status),
    coalesce(to_json(event.status_error)::text, 'null'),
    coalesce(event.duration_minutes::text, 'null'),
    '"' || {{ utc(event.ts) }} || 'Z"',
    coalesce('"' || event.size_executed || '"', 'null'),
    coalesce('"' || event.notional_executed || '"', 'null'),
    coalesce('"' || event.size_requested || '"', 'null'),
    coalesce('"' || event.average_price || '"', 'null'),
    coalesce('"' || {{ utc(event.order_ts) }} || 'Z"', 'null'),
    case
        when event.is_terminal
            then '"' || {{ utc(event.ts) }} || 'Z"'
        else 'null'
    end,
    case when %(with_raw)s then ',"raw":' || event.raw_payload::text else '' end,
    case when %(with_provenance)s then {{ provenance(event) }} else '' end
)
