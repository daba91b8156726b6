-- Both ways, so that a row too few and a row too many are found.
with missing as (
    select * from {scratch}
    except all
    select * from {live}
),

surplus as (
    select * from {live}
    except all
    select * from {scratch}
)

select
    'only after a rebuild' as place,
    missing::text as differing_row
from missing

union all

select
    'only in the marts' as place,
    surplus::text as differing_row
from surplus
limit 5;
