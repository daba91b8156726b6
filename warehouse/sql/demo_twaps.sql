select
    twap_id,
    asset,
    side,
    status,
    size_executed::text,
    size_requested::text,
    average_price::text,
    to_char(started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as started_at,
    to_char(ended_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as ended_at
from marts.twap_latest
where wallet = %(wallet)s
order by ts desc, twap_id collate "C" desc
limit 12;
