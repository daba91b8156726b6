-- The wallet whose TWAPs of the year are nearest to so many.
select
    wallet,
    count(*) as twaps
from marts.twap_latest
where
    ts >= '2025-01-01T00:00:00Z'
    and ts < '2026-01-01T00:00:00Z'
group by wallet
order by abs(count(*) - %(twaps)s), wallet
limit 1
