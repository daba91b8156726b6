-- Each landed row of the TWAP that int_landed_rows was made for, and its fate.
select
    landed.s3_object_key,
    landed.s3_etag,
    landed.row_number,
    landed.last_modified,
    landed.landed_at,
    landed.raw_payload,
    to_jsonb(landed) as interpreted,
    case
        when not landed.is_shown
            then 'not shown: the object was published again without this version'
        when landed.reason is not null
            then 'rejected: ' || landed.reason
        when
            events.s3_object_key = landed.s3_object_key
            and events.row_number = landed.row_number
            then 'an event of twap_status'
        else
            'a copy of an event, which twap_status shows from row '
            || events.row_number || ' of ' || events.s3_object_key
    end as outcome
from intermediate.int_landed_rows as landed
left join marts.twap_status as events
    on
        landed.twap_id = events.twap_id
        and landed.wallet = events.wallet
        and landed.ts = events.ts
        and landed.status = events.status
order by
    landed.wallet,
    landed.ts,
    landed.s3_object_key collate "C",
    landed.s3_etag collate "C",
    landed.row_number;
