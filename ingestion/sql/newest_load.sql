select max(load_id::numeric) as load_id
from staging._dlt_loads
where load_id ~ '^\d+(\.\d+)?$'
