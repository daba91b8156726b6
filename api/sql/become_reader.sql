-- Takes the reader's role where there is one and the login may; says whether it did.
select
    coalesce(
        (
            select set_config('role', pg_roles.rolname, false) = pg_roles.rolname
            from pg_catalog.pg_roles
            where
                pg_roles.rolname = %(role)s
                and pg_has_role(pg_roles.oid, 'SET')
        ),
        false
    ) as is_reader
