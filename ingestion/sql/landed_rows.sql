-- Postgres's own estimate: a count would read the whole table.
select greatest(reltuples, 0)::bigint
from pg_class
where oid = 'staging.twap_statuses'::regclass
