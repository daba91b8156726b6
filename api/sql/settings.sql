-- Settings for the transaction under way, and the reader's role where there is one that
-- the login may take: it is the protection from our mistakes, an own login from attacks.
select
    count(set_config(setting.key, setting.value, true)) as settings,
    set_config(
        'role',
        coalesce(
            (
                select pg_roles.rolname
                from pg_catalog.pg_roles
                where
                    pg_roles.rolname = %(role)s
                    and pg_has_role(pg_roles.oid, 'SET')
            ),
            'none'
        ),
        true
    ) as role
from json_each_text(%(settings)s) as setting
