-- The rows of a relation, in whatever order. By md5, since Postgres's own hashes may
-- change with its version.
select
    count(*) as row_count,
    coalesce(
        sum(('x' || left(md5(rows::text), 16))::bit(64)::bigint::numeric), 0
    )::text as digest
from {relation} as rows
