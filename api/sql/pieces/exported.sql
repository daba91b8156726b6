(
    -- What a file has of the events at and before a moment: the states of the wallet's
    -- TWAPs as of the window's end, as a walk has them.
    event.wallet = %(wallet)s
    and event.ts >= %(start)s
    and (event.valid_to is null or event.valid_to > %(as_of)s)
    and (%(asset)s::text is null or event.asset = %(asset)s)
    and (%(side)s::text is null or event.side = %(side)s)
    and (%(status)s::text is null or event.status = %(status)s)
)
