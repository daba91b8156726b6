select distinct objects.object_key as s3_object_key
from {{ ref('stg_s3_objects') }} as objects
inner join {{ ref('int_loads') }} as loads on objects.load_id = loads.load_id
where
    loads.is_new
    and objects.outcome in ('landed', 'known')
