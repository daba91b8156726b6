select distinct (hour at time zone 'UTC')::date as day
from {{ ref('int_touched_hours') }}
