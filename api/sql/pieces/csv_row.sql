format(
    -- The columns of api/csv_file.py. Quotes stand around every text, so an empty one
    -- differs from null, which format writes as nothing: around those that are never
    -- null they are in the format, which is quicker. So are casts, since format would
    -- look up for each value how its type is written. What a spreadsheet would take for
    -- a formula begins with an apostrophe.
    E'"%%s","%%s","%%s","%%s","%%s",%%s,%%s,%%s,%%s,%%s,%%sZ,%%s,%%s,%%s,%%s,%%s,'
    '"%%s","%%s",%%s\r\n',
    replace(
        case
            when %(spreadsheet)s and left(event.twap_id, 1) = any(%(formula)s)
                then '''' || event.twap_id
            else event.twap_id
        end,
        '"',
        '""'
    ),
    replace(
        case
            when %(spreadsheet)s and left(event.wallet, 1) = any(%(formula)s)
                then '''' || event.wallet
            else event.wallet
        end,
        '"',
        '""'
    ),
    replace(
        case
            when %(spreadsheet)s and left(event.asset, 1) = any(%(formula)s)
                then '''' || event.asset
            else event.asset
        end,
        '"',
        '""'
    ),
    replace(
        case
            when %(spreadsheet)s and left(event.side, 1) = any(%(formula)s)
                then '''' || event.side
            else event.side
        end,
        '"',
        '""'
    ),
    replace(
        case
            when %(spreadsheet)s and left(event.status, 1) = any(%(formula)s)
                then '''' || event.status
            else event.status
        end,
        '"',
        '""'
    ),
    '"' || replace(
        case
            when %(spreadsheet)s and left(event.status_error, 1) = any(%(formula)s)
                then '''' || event.status_error
            else event.status_error
        end,
        '"',
        '""'
    ) || '"',
    event.duration_minutes::text,
    event.reduce_only::text,
    event.randomize::text,
    replace((event.order_ts at time zone 'UTC')::text, ' ', 'T') || 'Z',
    replace((event.ts at time zone 'UTC')::text, ' ', 'T'),
    case
        when event.is_terminal
            then replace((event.ts at time zone 'UTC')::text, ' ', 'T') || 'Z'
    end,
    event.size_requested::text,
    event.size_executed::text,
    event.notional_executed::text,
    event.average_price::text,
    replace(
        case
            when %(spreadsheet)s and left(event.s3_object_key, 1) = any(%(formula)s)
                then '''' || event.s3_object_key
            else event.s3_object_key
        end,
        '"',
        '""'
    ),
    replace(
        case
            when %(spreadsheet)s and left(event.s3_etag, 1) = any(%(formula)s)
                then '''' || event.s3_etag
            else event.s3_etag
        end,
        '"',
        '""'
    ),
    event.row_number::text
)
