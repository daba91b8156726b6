case
    -- An open TWAP is overdue from the moment after this, as twap_latest.is_overdue has it.
    when event.is_terminal = false
        then
            event.order_ts + event.duration_minutes * interval '1 minute'
            + interval '1 hour'
end
