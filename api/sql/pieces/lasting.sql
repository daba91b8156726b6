(
    -- The predicate of idx_twap_status_lasting: the few states that held for longer than
    -- any TWAP runs, 10,080 minutes, or that still hold. All others that held at a moment
    -- began in the eight days before it.
    event.valid_to - event.ts > interval '8 days'
    or (event.valid_to is null and event.is_terminal is not true)
)
