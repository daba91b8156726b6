replace(
    -- As RFC 3339 has it, but for the Z.
    (event.column at time zone 'UTC')::text, ' ', 'T'
)
