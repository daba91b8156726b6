{{ config(unique_key='s3_object_key') }}

-- A kill can land a row twice.
select distinct on (s3_object_key, s3_etag, row_number)
    s3_object_key,
    s3_etag,
    row_number,
    reason,
    raw_payload
from {{ ref('int_landed_rows') }}
where
    is_shown
    and reason is not null
    and {{ is_touched('s3_object_key') }}
order by s3_object_key, s3_etag, row_number
