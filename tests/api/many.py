"""More TWAPs than any buffer between the API and its client can hold."""

from marts import Marts

WALLET = "0xabc0000000000000000000000000000000000001"

TWAPS = """
insert into marts.twap_status (
    twap_id, wallet, ts, order_ts, valid_to, asset, side, status, status_error,
    size_requested, size_executed, notional_executed, average_price, duration_minutes,
    is_terminal, reduce_only, randomize, s3_object_key, s3_etag, row_number, copies,
    raw_payload, inserted_at
)
select
    (1000000 + n)::text, %(wallet)s, began + k * interval '30 min', began,
    case when k = 0 then began + interval '30 min' end,
    (array['BTC', 'kBONK', '@107', 'PURR/USDC'])[1 + n %% 4], 'B',
    case k when 0 then 'activated' else 'finished' end, null,
    (n %% 1000 + 100) / 10.0, k * (n %% 1000 + 100) / 10.0,
    k * (n %% 1000 + 100) * 40.0512551, case when k = 1 then 400.512551 end, 30,
    k = 1, n %% 3 = 0, n %% 2 = 0,
    'raw/twap_statuses/date=2025-11-03/hour=' || n %% 24 || '/part-00000.parquet',
    'd41d8cd98f00b204e9800998ecf8427e', n %% 200, 1, '{}', now()
from (
    select n, timestamptz '2025-01-01T00:00:00.125Z' + n * interval '200 s' as began
    from generate_series(1, %(twaps)s) as n
) as twaps
cross join generate_series(0, 1) as k
order by 3 desc
"""


def fill(marts: Marts, twaps: int) -> None:
    """Give the wallet so many TWAPs of 2025, with two events each."""
    marts.build([])
    marts.connection.execute(TWAPS, {"wallet": WALLET, "twaps": twaps})
    marts.connection.execute("analyze marts.twap_status")
