format(
    -- The columns of api/csv_file.py. Quotes stand around every text, so an empty one
    -- differs from null, which format writes as nothing. What a spreadsheet would take
    -- for a formula begins with an apostrophe.
    E'%%s,%%s,%%s,%%s,%%s,%%s,%%s,%%s,%%s,%%s,%%s,%%s,%%s,%%s,%%s,%%s,%%s,%%s,%%s\r\n',
    '"' || case when left(event.twap_id, 1) = any(%(formula)s) then '''' else '' end
    || replace(event.twap_id, '"', '""') || '"',
    '"' || case when left(event.wallet, 1) = any(%(formula)s) then '''' else '' end
    || replace(event.wallet, '"', '""') || '"',
    '"' || case when left(event.asset, 1) = any(%(formula)s) then '''' else '' end
    || replace(event.asset, '"', '""') || '"',
    '"' || case when left(event.side, 1) = any(%(formula)s) then '''' else '' end
    || replace(event.side, '"', '""') || '"',
    '"' || case when left(event.status, 1) = any(%(formula)s) then '''' else '' end
    || replace(event.status, '"', '""') || '"',
    '"'
    || case when left(event.status_error, 1) = any(%(formula)s) then '''' else '' end
    || replace(event.status_error, '"', '""') || '"',
    event.duration_minutes,
    event.reduce_only::text,
    event.randomize::text,
    replace((event.order_ts at time zone 'UTC')::text, ' ', 'T') || 'Z',
    replace((event.ts at time zone 'UTC')::text, ' ', 'T') || 'Z',
    case
        when event.is_terminal
            then replace((event.ts at time zone 'UTC')::text, ' ', 'T') || 'Z'
    end,
    event.size_requested,
    event.size_executed,
    event.notional_executed,
    event.average_price,
    '"'
    || case when left(event.s3_object_key, 1) = any(%(formula)s) then '''' else '' end
    || replace(event.s3_object_key, '"', '""') || '"',
    '"' || case when left(event.s3_etag, 1) = any(%(formula)s) then '''' else '' end
    || replace(event.s3_etag, '"', '""') || '"',
    event.row_number
)
