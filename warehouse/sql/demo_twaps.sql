select
    twap_id,
    asset,
    side,
    status,
    trim_scale(size_executed)::text as size_executed,
    trim_scale(size_requested)::text as size_requested,
    trim_scale(round(average_price, 4))::text as average_price,
    to_char(ended_at at time zone 'UTC', 'MM-DD HH24:MI') as ended_at
from marts.twap_latest
where wallet = %(wallet)s
order by ts desc, twap_id collate "C" desc
limit 12;
