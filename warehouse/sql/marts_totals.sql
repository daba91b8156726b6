with days as (
    select
        coalesce(sum(events), 0) as events,
        min(day) as first_day,
        max(day) as last_day
    from marts.twap_digest
),

latest as (
    select
        count(*) as twaps,
        count(distinct wallet) as wallets
    from marts.twap_latest
)

select
    latest.twaps,
    latest.wallets,
    days.events,
    days.first_day,
    days.last_day,
    (select count(*) from marts.twap_status_rejected) as rejected
from latest
cross join days;
