-- The states of a wallet's TWAPs that are open as of a moment, by two short ranges of
-- indexes, however long the wallet's history is.
select event.*
from marts.twap_status as event
where
    event.wallet = %(wallet)s
    and event.ts > %(as_of)s::timestamptz - interval '8 days'
    and event.ts between %(start)s and %(as_of)s
    and (event.valid_to is null or event.valid_to > %(as_of)s)
    and event.is_terminal = false
union all
select event.*
from marts.twap_status as event
where
    event.wallet = %(wallet)s
    -- Sums, which no index is of: else the index on ts alone may look better.
    and event.ts + interval '8 days' <= %(as_of)s
    and event.ts + interval '0 days' >= %(start)s
    and (event.valid_to is null or event.valid_to > %(as_of)s)
    and event.is_terminal = false
    and {{ lasting(event) }}
