-- The order of a TWAP's events, newest first.
event.ts desc,
case event.is_terminal when true then 1 when false then 3 else 2 end asc,
event.size_executed desc nulls last,
event.status collate "C" desc
