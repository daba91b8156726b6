(
    -- What a file has of the events at and before a moment: the states of the wallet's
    -- TWAPs as of the window's end, as a walk has them.
    event.wallet = %(wallet)s
    and event.ts >= %(start)s
    and (event.valid_to is null or event.valid_to > %(as_of)s)
    and {{ filtered(event) }}
)
