-- The states of a wallet's TWAPs that had an event before a window and have the next one
-- in it: what of an amount the window has not executed.
select event.*
from marts.twap_status as event
where
    event.wallet = %(wallet)s
    and event.ts >= %(window_start)s::timestamptz - interval '8 days'
    and event.ts < %(window_start)s
    and event.valid_to between %(window_start)s and %(as_of)s

union all

select event.*
from marts.twap_status as event
where
    event.wallet = %(wallet)s
    -- A sum, as in pieces/open_states.sql.
    and event.ts + interval '8 days' < %(window_start)s
    and event.valid_to between %(window_start)s and %(as_of)s
    and {{ lasting(event) }}
