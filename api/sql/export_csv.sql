-- The chunks of a CSV file, as the text that is sent. They come one by one, in the order
-- of the arrays, as fast as they are taken.
select
    convert_to(
        (
            select
                string_agg(
                    {{ csv_row(page) }},
                    '' order by page.ts desc, page.twap_id collate "C" desc
                )
            from {{ chunk_of_rows(event) }} as page
        ),
        'UTF8'
    ) as rows
from unnest(
    %(first_ts)s::timestamptz [], %(first_twap_id)s::text []
) as chunk (ts, twap_id)
