"""`evidence`: where every figure of a TWAP comes from, to the row of the S3 object."""

import json
from decimal import Decimal
from functools import partial
from typing import Any

from psycopg.types.json import set_json_loads
from rich.console import Console

from warehouse import database, dbt
from warehouse.builds import Need, needed_build
from warehouse.commands.databases import builders_url
from warehouse.errors import UserError
from warehouse.settings import Settings
from warehouse.statements import statement

RULES = (
    ("twap_id", ("twap_id",), "a whole number is written as the integer"),
    ("wallet", ("state_user",), "lower case"),
    (
        "ts",
        ("time", "state_timestamp"),
        "the first that is a moment; digits tell units",
    ),
    ("order_ts", ("state_timestamp",), "digits tell units; without a zone it is UTC"),
    ("status", ("status", "status_error"), "as published, errors split"),
    ("status_error", ("status", "status_error"), "the message of the error"),
    ("is_terminal", ("status",), "by the list of known statuses"),
    ("asset", ("state_coin",), "as published"),
    ("side", ("state_side",), "as published"),
    ("size_requested", ("state_sz",), "exact decimal"),
    ("size_executed", ("state_executedSz",), "exact decimal"),
    ("notional_executed", ("state_executedNtl",), "exact decimal"),
    ("duration_minutes", ("state_minutes",), "a whole number"),
    ("reduce_only", ("state_reduceOnly",), "true or false, in six words"),
    ("randomize", ("state_randomize",), "true or false, in six words"),
)
"""Column of the marts, the source's columns that it is read from, and the rule."""


def evidence(settings: Settings, twap_id: str) -> int:
    """Print a TWAP's chain: object, row, payload, each rule's result, and the state.

    Raises UserError when no landed row has the id, and when there are no marts.
    """
    url = builders_url(settings)
    with database.run_lock(url), database.connect(url) as connection:
        if needed_build(connection) is Need.FULL_REFRESH:
            raise UserError(
                "There are no marts of this release, so nothing to show. "
                "Run make elt first, or make rebuild."
            )
        dbt.run(
            [
                *("run", "--select", "int_landed_rows"),
                *("--vars", json.dumps({"twap": twap_id})),
            ],
            url,
            quiet=True,
        )
        # A float would round what the evidence is about.
        set_json_loads(partial(json.loads, parse_float=Decimal), connection)
        rows = connection.execute(statement("evidence")).fetchall()
        latest = connection.execute(
            statement("evidence_latest"), {"twap_id": twap_id}
        ).fetchall()
    if not rows:
        raise UserError(
            f"No landed row has the TWAP id {twap_id!r}. "
            "Give it as marts.twap_latest does: make evidence TWAP=ID."
        )
    console = Console(highlight=False, soft_wrap=True)
    for row in rows:
        _print_row(console, row)
    for wallet, twap in latest:
        console.print(f"\nTWAP {twap_id} of {wallet} in twap_latest:", markup=False)
        console.print(json.dumps(twap, indent=2, default=str), markup=False)
    return 0


def _print_row(console: Console, row: tuple[Any, ...]) -> None:
    key, etag, number, last_modified, landed_at, payload, interpreted, outcome = row
    lines = [
        f"\n{key}, row {number}",
        f"  ETag {etag}, last modified {last_modified:%Y-%m-%dT%H:%M:%SZ}, "
        f"landed {landed_at:%Y-%m-%dT%H:%M:%SZ}",
        f"  {outcome}",
        f"  payload {json.dumps(payload, ensure_ascii=False)}",
    ]
    for column, sources, rule in RULES:
        published = ", ".join(
            f"{source}={json.dumps(payload.get(source), ensure_ascii=False)}"
            for source in sources
        )
        result = json.dumps(interpreted[column], ensure_ascii=False, default=str)
        lines.append(f"  {column} = {result}  from {published}: {rule}")
    console.print("\n".join(lines), markup=False)
