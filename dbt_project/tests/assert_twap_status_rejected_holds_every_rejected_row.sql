{#- A row here is an object whose rejected rows are not those in the mart. -#}

with landed_rows as (
    select
        s3_object_key,
        count(distinct row(s3_etag, row_number)) as rejected
    from {{ ref('int_landed_rows') }}
    where
        is_shown
        and reason is not null
        and {{ is_in_scope('s3_object_key') }}
    group by s3_object_key
),

mart as (
    select
        s3_object_key,
        count(*) as rejected
    from {{ ref('twap_status_rejected') }}
    where {{ is_in_scope('s3_object_key') }}
    group by s3_object_key
)

select
    s3_object_key,
    landed_rows.rejected as landed,
    mart.rejected as told
from landed_rows
full outer join mart using (s3_object_key)
where landed_rows.rejected is distinct from mart.rejected
