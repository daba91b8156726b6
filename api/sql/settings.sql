-- Settings for the session, where that is of the process session_of, else for the
-- transaction under way; and the reader's role where there is one that the login may
-- take: it is the protection from our mistakes, an own login from attacks.
select
    count(
        set_config(setting.key, setting.value, pg_backend_pid() <> %(session_of)s)
    ) as settings,
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
        pg_backend_pid() <> %(session_of)s
    ) as role,
    pg_backend_pid() = %(session_of)s as of_session
from json_each_text(%(settings)s) as setting
