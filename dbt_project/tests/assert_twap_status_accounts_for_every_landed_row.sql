{#-
A row here is a TWAP whose landed rows are not all told of: the distinct addresses in the
shown versions of its objects must be the copies of its events and its rejected rows.
-#}

-- A kill can land a row twice. A key shows one version, so its ETag tells nothing more.
with addresses as (
    select
        twap_id,
        bool_or(reason is not null) as is_rejected
    from {{ ref('int_landed_rows') }}
    where is_shown and twap_id is not null
    group by twap_id, s3_object_key, row_number
),

landed_rows as (
    select
        twap_id,
        count(*) as addresses,
        count(*) filter (where is_rejected) as rejected
    from addresses
    group by twap_id
),

events as (
    select
        twap_id,
        sum(copies) as copies
    from {{ ref('twap_status') }}
    where {{ is_in_scope('twap_id') }}
    group by twap_id
)

select
    twap_id,
    landed_rows.addresses,
    landed_rows.rejected,
    events.copies
from landed_rows
full outer join events using (twap_id)
where
    coalesce(landed_rows.addresses, 0)
    <> coalesce(events.copies, 0) + coalesce(landed_rows.rejected, 0)
