-- How many rows a file has, and with which each of its chunks begins.
with numbered as (
    select
        event.ts,
        event.twap_id,
        row_number() over (order by event.ts desc, event.twap_id collate "C" desc)
            as place
    from marts.twap_status as event
    where
        event.ts <= %(as_of)s
        and {{ exported(event) }}
)

select
    count(*) as rows,
    array_agg(numbered.ts order by numbered.ts desc, numbered.twap_id collate "C" desc)
        filter (where mod(numbered.place - 1, %(chunk_size)s) = 0)
        as first_ts,
    array_agg(
        numbered.twap_id order by numbered.ts desc, numbered.twap_id collate "C" desc
    ) filter (where mod(numbered.place - 1, %(chunk_size)s) = 0)
        as first_twap_id
from numbered
