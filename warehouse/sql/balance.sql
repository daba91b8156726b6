-- Of what the last build read: each landed row in a shown version of its object is told
-- of once, as an event, as another copy of one, or as a rejected row.
with landed_rows as (
    select distinct
        s3_object_key,
        s3_etag,
        row_number
    from intermediate.int_landed_rows
    where is_shown
),

events as (
    select
        count(*) as events,
        coalesce(sum(told.copies), 0) - count(*) as duplicates
    from marts.twap_status as told
    where
        told.twap_id in (
            select landed.twap_id from intermediate.int_landed_rows as landed
        )
),

rejected_rows as (
    select count(*) as rejected
    from marts.twap_status_rejected
    inner join landed_rows using (s3_object_key, s3_etag, row_number)
)

select
    (select count(*) from landed_rows) as landed,
    events.events,
    events.duplicates,
    rejected_rows.rejected
from events
cross join rejected_rows;
