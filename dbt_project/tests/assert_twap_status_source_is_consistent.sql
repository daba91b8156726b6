{{ config(severity='warn') }}

{#-
A row here is a TWAP about which the source contradicts itself. We show what it says; a
person should know. `without_time` is an event whose own time is missing, or is no moment:
it has that of its order, and so may stand in another year, or beside its twin.
-#}

{%- set time = "(raw_payload ->> 'time')" %}

with events as (
    select
        twap_id,
        wallet,
        size_requested,
        size_executed,
        is_terminal,
        -- Nearly all others differ, and need not be read again.
        ts = order_ts
        and coalesce({{ instant(time, number(time)) }} <> ts, true) as has_no_time,
        lag(size_executed) over (
            partition by twap_id, wallet
            order by {{ order_of_events() }}
        ) as executed_before
    from {{ ref('twap_status') }}
    where {{ is_in_scope('twap_id') }}
),

twaps as (
    select
        twap_id,
        wallet,
        count(*) filter (where size_executed > size_requested) as executed_too_much,
        count(*) filter (where size_executed < executed_before) as executed_shrinks,
        count(*) filter (where is_terminal) as terminal_events,
        count(*) filter (where has_no_time) as without_time
    from events
    group by twap_id, wallet
)

select *
from twaps
where
    executed_too_much > 0
    or executed_shrinks > 0
    or terminal_events > 1
    or without_time > 0
