select
    twap_id,
    wallet,
    asset,
    side,
    status,
    status_error,
    duration_minutes,
    reduce_only,
    randomize,
    order_ts as started_at,
    ts as latest_ts,
    case when is_terminal then ts end as ended_at,
    size_requested,
    size_executed,
    notional_executed,
    average_price,
    s3_object_key,
    s3_etag,
    row_number
from marts.twap_status
where
    wallet = %(wallet)s
    and ts >= %(start)s
    and ts <= %(as_of)s
    and (valid_to is null or valid_to > %(as_of)s)
order by ts desc, twap_id collate "C" desc
