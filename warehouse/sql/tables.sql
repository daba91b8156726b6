select relname::text as table_name
from pg_class
where
    relnamespace = %(schema)s::regnamespace
    and relkind = 'r'
order by table_name;
