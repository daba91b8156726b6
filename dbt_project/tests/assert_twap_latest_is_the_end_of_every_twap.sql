{#-
A row here is a TWAP that has not exactly one event without an end in twap_status, or
whose row in twap_latest is missing, too many, or tells of another event.
-#}

with ends as (
    select
        twap_id,
        wallet,
        count(*) as event_count,
        count(*) filter (where valid_to is null) as ends,
        min(ts) filter (where valid_to is null) as ts,
        min(status) filter (where valid_to is null) as status
    from {{ ref('twap_status') }}
    where {{ is_in_scope('twap_id') }}
    group by twap_id, wallet
),

latest as (
    select
        twap_id,
        wallet,
        ts,
        status,
        event_count
    from {{ ref('twap_latest') }}
    where {{ is_in_scope('twap_id') }}
)

select
    twap_id,
    wallet,
    ends.ends
from ends
full outer join latest using (twap_id, wallet)
where
    ends.ends is distinct from 1
    or (ends.ts, ends.status, ends.event_count)
    is distinct from (latest.ts, latest.status, latest.event_count)
