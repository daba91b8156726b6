{#- dlt makes its texts varchar, which is another type to a contract. -#}

select
    -- ids
    twap_id::text as twap_id,
    state_user::text as wallet,

    -- text
    state_coin::text as asset,
    state_side::text as side,
    status::text as status,
    status_error::text as status_error,

    -- numbers
    state_sz::text as size_requested,
    "state_executedSz"::text as size_executed,
    "state_executedNtl"::text as notional_executed,
    state_minutes::text as duration_minutes,

    -- booleans
    "state_reduceOnly"::text as reduce_only,
    state_randomize::text as randomize,

    -- times
    "time"::text as event_time,
    state_timestamp::text as order_time,

    -- lineage
    _s3_object_key::text as s3_object_key,
    _s3_etag::text as s3_etag,
    _row_number as row_number,
    _dlt_load_id::text as load_id,
    jsonb_strip_nulls(
        to_jsonb(landed.*)
        - array['_s3_object_key', '_s3_etag', '_row_number', '_dlt_load_id']
    ) as raw_payload
from {{ source('staging', 'twap_statuses') }} as landed
