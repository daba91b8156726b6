select
    twap_id,
    asset,
    side,
    status,
    size_executed::text,
    size_requested::text,
    round(average_price, 4)::text as average_price,
    to_char(ended_at at time zone 'UTC', 'MM-DD HH24:MI') as ended_at
from marts.twap_latest
where wallet = %(wallet)s
order by ts desc, twap_id collate "C" desc
limit 12;
