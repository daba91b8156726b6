format(
    -- The columns of api/csv_file.py. Quotes stand around every text, so an empty one
    -- differs from null, which format writes as nothing: around those that are never
    -- null they are in the format, which is quicker. So are casts, since format would
    -- look up for each value how its type is written.
    E'"%%s","%%s","%%s","%%s","%%s",%%s,%%s,%%s,%%s,%%s,%%sZ,%%s,%%s,%%s,%%s,%%s,'
    '"%%s","%%s",%%s\r\n',
    {{ csv_text(event.twap_id) }},
    {{ csv_text(event.wallet) }},
    {{ csv_text(event.asset) }},
    {{ csv_text(event.side) }},
    {{ csv_text(event.status) }},
    '"' || {{ csv_text(event.status_error) }} || '"',
    event.duration_minutes::text,
    event.reduce_only::text,
    event.randomize::text,
    {{ utc(event.order_ts) }} || 'Z',
    {{ utc(event.ts) }},
    case
        when event.is_terminal
            then {{ utc(event.ts) }} || 'Z'
    end,
    event.size_requested::text,
    event.size_executed::text,
    event.notional_executed::text,
    event.average_price::text,
    {{ csv_text(event.s3_object_key) }},
    {{ csv_text(event.s3_etag) }},
    event.row_number::text
)
