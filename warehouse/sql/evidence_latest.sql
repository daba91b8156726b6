select
    wallet,
    to_jsonb(latest) - 'wallet' as twap
from marts.twap_latest as latest
where twap_id = %(twap_id)s
order by wallet;
