select
    -- ids
    twap_id,
    state_user as wallet,

    -- text
    state_coin as asset,
    state_side as side,
    status,
    status_error,

    -- numbers
    "state_sz" as size_requested,
    "state_executedSz" as size_executed,
    "state_executedNtl" as notional_executed,
    state_minutes as duration_minutes,

    -- booleans
    "state_reduceOnly" as reduce_only,
    state_randomize as randomize,

    -- times
    "time" as event_time,
    state_timestamp as order_time,

    -- lineage
    _s3_object_key as s3_object_key,
    _s3_etag as s3_etag,
    _row_number as row_number,
    _dlt_load_id as load_id,
    jsonb_strip_nulls(
        to_jsonb(landed)
        - array['_s3_object_key', '_s3_etag', '_row_number', '_dlt_load_id']
    ) as raw_payload
from {{ source('staging', 'twap_statuses') }} as landed
