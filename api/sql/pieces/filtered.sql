(
    -- What a caller asks for by asset, side and status; null asks for all.
    (%(asset)s::text is null or event.asset = %(asset)s)
    and (%(side)s::text is null or event.side = %(side)s)
    and (%(status)s::text is null or event.status = %(status)s)
)
