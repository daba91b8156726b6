"""`rebuild`: the marts anew from staging, without S3."""

from functools import partial

from warehouse import database, dbt
from warehouse.builds import Need, build
from warehouse.commands.databases import builders_url
from warehouse.commands.progress import watched
from warehouse.schema import prepare_marts
from warehouse.settings import Settings


def rebuild(settings: Settings) -> int:
    """Make the marts anew from all that has landed."""
    url = builders_url(settings)
    with (
        watched(settings) as progress,
        database.run_lock(url),
        database.connect(url) as connection,
    ):
        prepare_marts(connection)
        progress.begin("getting dbt ready")
        run = partial(dbt.run, database_url=url, quiet=True, tell=progress.tell)
        build(url, Need.FULL_REFRESH, run)
    print("The marts were made anew from all that has landed.")
    return 0
