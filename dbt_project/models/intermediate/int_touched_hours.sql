{#-
Where any landed row of a touched TWAP can lie, in any version of its object: whatever it
told once, or tells now, the hour is made anew. So a build that broke between two marts
does no harm to the next.
-#}

with moments as (
    select event_at as ts
    from {{ ref('int_landed_rows') }}

    union

    select order_at as ts
    from {{ ref('int_landed_rows') }}
)

select distinct date_trunc('hour', ts, 'UTC') as hour
from moments
where
    ts is not null
    -- A full refresh asks nobody what is touched.
    and {{ not flags.FULL_REFRESH }}
