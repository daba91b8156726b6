-- The ledger rows of complete loads, in the order of observation.
with complete_loads as (
    -- A kill can write a load's row twice.
    select load_id
    from staging._dlt_loads
    where status = 0
    group by load_id
)

select
    s3_objects.object_key,
    s3_objects.etag,
    s3_objects.last_modified,
    s3_objects.outcome,
    s3_objects.rows
from staging.s3_objects
inner join complete_loads
    on s3_objects._dlt_load_id = complete_loads.load_id
-- Load ids are seconds with a fraction: in "C" their text sorts as the numbers do.
order by s3_objects._dlt_load_id collate "C", s3_objects.attempt
