-- How many TWAPs of all wallets are open as of a moment, see pieces/open_states.sql.
with data_version as (
    {{ data_version() }}
),

-- All of them, without a word of ts: else the index on ts alone may look better.
lasting_states as materialized (
    select
        event.ts,
        event.valid_to,
        event.is_terminal
    from marts.twap_status as event
    where {{ lasting(event) }}
),

open_states as (
    select event.ts
    from marts.twap_status as event
    where
        event.ts > %(as_of)s::timestamptz - interval '8 days'
        and event.ts between %(start)s and %(as_of)s
        and (event.valid_to is null or event.valid_to > %(as_of)s)
        and event.is_terminal = false

    union all

    select lasting_states.ts
    from lasting_states
    where
        lasting_states.ts <= %(as_of)s::timestamptz - interval '8 days'
        and lasting_states.ts >= %(start)s
        and (lasting_states.valid_to is null or lasting_states.valid_to > %(as_of)s)
        and lasting_states.is_terminal = false
)

select
    data_version.build_id,
    data_version.version,
    data_version.run_id,
    data_version.is_building,
    least(%(as_of)s, {{ newest_event() }}) as as_of,
    (select count(*) from open_states) as open_twaps
from (select) as always
left join data_version on true
