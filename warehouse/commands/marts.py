"""`rebuild`: dbt on the database, without S3."""

from warehouse import database
from warehouse.builds import Need, build
from warehouse.commands.databases import database_url
from warehouse.schema import prepare
from warehouse.settings import Settings


def rebuild(settings: Settings) -> int:
    """Make the marts anew from all that has landed."""
    url = database_url(settings)
    with database.run_lock(url), database.connect(url) as connection:
        prepare(connection)
        build(url, Need.FULL_REFRESH)
    print("The marts were made anew from all that has landed.")
    return 0
