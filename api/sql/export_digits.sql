-- How long the numbers of a file are: at most so many digits before and after the
-- point.
select
    length(trunc(max(abs(event.size_requested)))::text) as size_requested_whole,
    max(scale(event.size_requested)) as size_requested_scale,
    length(trunc(max(abs(event.size_executed)))::text) as size_executed_whole,
    max(scale(event.size_executed)) as size_executed_scale,
    length(trunc(max(abs(event.notional_executed)))::text) as notional_executed_whole,
    max(scale(event.notional_executed)) as notional_executed_scale,
    length(trunc(max(abs(event.average_price)))::text) as average_price_whole,
    max(scale(event.average_price)) as average_price_scale
from marts.twap_status as event
where
    event.ts <= %(as_of)s
    and {{ exported(event) }}
