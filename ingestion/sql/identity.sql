select
    oid,
    datname::text,
    current_setting('port')
from pg_database
where datname = current_database()
