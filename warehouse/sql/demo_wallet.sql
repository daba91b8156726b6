-- A wallet whose TWAPs show most: several outcomes, and an error that executed.
select wallet
from marts.twap_latest
group by wallet
having count(*) between 8 and 200
order by
    bool_or(status = 'error' and size_executed > 0) desc,
    count(distinct status) desc,
    count(*),
    wallet
limit 1;
