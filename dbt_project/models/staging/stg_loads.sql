select
    load_id::text as load_id,
    -- A kill can leave two such rows of one load.
    min(inserted_at) as completed_at
from {{ source('staging', '_dlt_loads') }}
where status = 0
group by load_id
