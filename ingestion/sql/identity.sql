select
    oid,
    datname::text as datname,
    current_setting('port') as port
from pg_database
where datname = current_database()
