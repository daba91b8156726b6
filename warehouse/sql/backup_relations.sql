-- What a backup must bring back: each table that outlives a crash, and each view of the
-- marts, with its indexes and its constraints. Since PostgreSQL 18 `not null` is a
-- constraint too, and before it is none.
with ours as (
    select
        oid,
        nspname
    from pg_namespace
    where nspname = any(%(schemas)s)
)

select
    ours.nspname as schema_name,
    relations.relname as relation_name,
    array(
        select pg_get_indexdef(indexes.indexrelid)
        from pg_index as indexes
        where indexes.indrelid = relations.oid and indexes.indisvalid
    ) as indexes,
    array(
        select pg_get_constraintdef(constraints.oid)
        from pg_constraint as constraints
        where
            constraints.conrelid = relations.oid
            and constraints.contype <> 'n'
    ) as constraints
from pg_class as relations
inner join ours
    on relations.relnamespace = ours.oid
where
    (relations.relkind = 'r' and relations.relpersistence = 'p')
    or (relations.relkind = 'v' and ours.nspname = 'marts')
order by schema_name, relation_name
