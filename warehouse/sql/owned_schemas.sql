-- The schemas whose owner is a role of `make roles` that this login can take on. In
-- another database of the server these roles may be there, and own nothing.
select pg_namespace.nspname::text as schema_name
from pg_namespace
inner join pg_roles on pg_namespace.nspowner = pg_roles.oid
where
    (pg_namespace.nspname, pg_roles.rolname)
    in (('staging', 'twap_loader'), ('marts', 'twap_builder'))
    and pg_has_role(pg_roles.oid, 'SET');
