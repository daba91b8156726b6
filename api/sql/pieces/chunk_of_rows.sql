(
    -- The rows of a chunk, whose first is known.
    select event.*
    from marts.twap_status as event
    where
        {{ exported(event) }}
        -- Of both conditions the index scan needs the first one to begin in the right
        -- place, the second one among events of one moment.
        and event.ts <= chunk.ts
        and (event.ts, event.twap_id collate "C") <= (chunk.ts, chunk.twap_id)
    order by event.ts desc, event.twap_id collate "C" desc
    limit %(chunk_size)s
)
