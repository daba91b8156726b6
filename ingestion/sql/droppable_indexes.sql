-- The indexes of the landed rows that no constraint needs, dbt's own included.
select
    pg_namespace.nspname::text as schema_name,
    pg_class.relname::text as index_name
from pg_index
inner join pg_class on pg_index.indexrelid = pg_class.oid
inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
left join pg_constraint on pg_index.indexrelid = pg_constraint.conindid
where pg_index.indrelid = 'staging.twap_statuses'::regclass
    and pg_constraint.oid is null
order by index_name
