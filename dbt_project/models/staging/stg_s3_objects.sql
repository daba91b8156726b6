select
    object_key::text as object_key,
    etag::text as etag,
    attempt,
    outcome::text as outcome,
    error::text as error_text,
    size_bytes,
    rows as row_count,
    last_modified,
    attempted_at,
    _dlt_load_id::text as load_id
from {{ source('staging', 's3_objects') }}
