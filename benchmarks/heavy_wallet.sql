-- The wallet that has the most TWAPs of the year.
select
    wallet,
    count(*) as twaps
from marts.twap_latest
where
    ts >= '2025-01-01T00:00:00Z'
    and ts < '2026-01-01T00:00:00Z'
group by wallet
order by count(*) desc, wallet
limit 1
