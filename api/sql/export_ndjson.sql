-- The chunks of a file of JSON lines, as the text that is sent. They come one by one, in
-- the order of the arrays, as fast as they are taken.
select
    convert_to(
        (
            select
                string_agg(
                    {{ twap_json(page) }} || E'}\n',
                    '' order by page.ts desc, page.twap_id collate "C" desc
                )
            from {{ chunk_of_rows(event) }} as page
        ),
        'UTF8'
    ) as rows
from unnest(
    %(first_ts)s::timestamptz [], %(first_twap_id)s::text []
) as chunk (ts, twap_id)
