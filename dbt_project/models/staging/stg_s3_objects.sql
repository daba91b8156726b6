select
    object_key,
    etag,
    attempt,
    outcome,
    error as error_text,
    size_bytes,
    rows as row_count,
    last_modified,
    attempted_at,
    _dlt_load_id as load_id
from {{ source('staging', 's3_objects') }}
