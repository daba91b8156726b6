"""What a run costs at S3, said before it is spent."""

from dataclasses import dataclass
from decimal import Decimal

GET_USD = Decimal("0.0004") / 1000
"""One GET request, S3 Standard."""

LIST_USD = Decimal("0.005") / 1000
"""One LIST request, of up to 1,000 keys."""

GIGABYTE = 1024**3

TRANSFER_USD_PER_GB = {
    "ap-northeast-1": Decimal("0.114"),
    "us-east-1": Decimal("0.09"),
    "us-east-2": Decimal("0.09"),
    "us-west-2": Decimal("0.09"),
    "eu-west-1": Decimal("0.09"),
    "eu-central-1": Decimal("0.09"),
}
"""Transfer from the region to the internet, first 10 TB a month. From within the same
region it costs nothing."""

_DEAREST_USD_PER_GB = max(TRANSFER_USD_PER_GB.values())


@dataclass(frozen=True)
class Cost:
    """An estimate, by list prices: what the requester of the bucket pays."""

    objects: int
    bytes: int
    list_requests: int
    usd: Decimal
    """With transfer to the internet; in the bucket's own region it is less."""

    def __str__(self) -> str:
        return (
            f"{self.objects:,} objects, {self.bytes / 1024**2:,.1f} MB, about "
            f"{self.usd:.4f} USD (less in the bucket's own region: no transfer cost)"
        )


def estimate(
    *, objects: int, size: int, list_requests: int, region: str | None
) -> Cost:
    """Return what it costs to list and to fetch.

    A region without a price here is as dear as the dearest; None: nothing is paid.
    """
    if region is None:
        return Cost(objects, size, list_requests=0, usd=Decimal(0))
    per_gigabyte = TRANSFER_USD_PER_GB.get(region, _DEAREST_USD_PER_GB)
    usd = (
        objects * GET_USD
        + list_requests * LIST_USD
        + Decimal(size) / GIGABYTE * per_gigabyte
    )
    return Cost(objects=objects, bytes=size, list_requests=list_requests, usd=usd)
