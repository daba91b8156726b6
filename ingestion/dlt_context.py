"""dlt set up by values alone: no file, no variable of the environment decides."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dlt
from dlt.common.configuration import configspec
from dlt.common.configuration.providers.dictionary import DictionaryProvider
from dlt.common.configuration.providers.provider import ConfigProvider
from dlt.common.runtime.run_context import RunContext, switched_run_context
from dlt.destinations.impl.postgres.configuration import PostgresCredentials
from psycopg.conninfo import make_conninfo

from ingestion.pending import PIPELINE_NAME
from warehouse.database import LOST_SERVER, connection_parameters
from warehouse.errors import UserError

SCHEMA = "staging"

_FILE_ROWS = 100_000
_CONFIG: dict[str, Any] = {
    "schema": {"naming": "direct"},
    "runtime": {
        "dlthub_telemetry": False,
        # What goes wrong is raised too, and said once, by us.
        "log_level": "CRITICAL",
        "intercept_signals": False,
    },
    "providers": {"enable_airflow_secrets": False},
    # The files are read again at once: to compress them costs more than to write them.
    "data_writer": {"file_max_items": _FILE_ROWS, "compression": "none"},
    "normalize": {
        "parquet_normalizer": {"add_dlt_load_id": True, "add_dlt_id": False},
    },
    "load": {
        "delete_completed_jobs": True,
        # A refusal by Postgres is final: the second attempt is for broken connections.
        "raise_on_max_retries": 2,
    },
}


class _Context(RunContext):
    """A run context whose only configuration is ours."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))

    @property
    def run_dir(self) -> str:
        return self._init_run_dir

    @property
    def data_dir(self) -> str:
        return self._init_run_dir

    @property
    def local_dir(self) -> str:
        return self._init_run_dir

    def initial_providers(self) -> list[ConfigProvider]:
        provider = DictionaryProvider()
        provider._config_doc = _CONFIG
        return [provider]


@configspec(init=False)
class _Credentials(PostgresCredentials):
    """What libpq itself understands: sockets, several hosts, all of its parameters."""

    conninfo: str = ""

    def to_native_representation(self) -> str:
        return self.conninfo


@contextmanager
def dlt_pipeline(database_url: str, folder: Path) -> Iterator[dlt.Pipeline]:
    """Give the pipeline to the database, with its working state under the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The working folder {folder} cannot be made: {error.strerror}. "
            "Set DLT_DATA_DIR to a folder that can be written."
        ) from error
    with switched_run_context(_Context(folder)):
        pipeline = dlt.pipeline(
            PIPELINE_NAME,
            pipelines_dir=str(folder),
            destination=dlt.destinations.postgres(
                credentials=_credentials(database_url)
            ),
            dataset_name=SCHEMA,
        )
        try:
            yield pipeline
        finally:
            pipeline.deactivate()


def _credentials(database_url: str) -> _Credentials:
    parameters = connection_parameters(database_url)
    credentials = _Credentials()
    credentials.conninfo = make_conninfo(**LOST_SERVER | parameters)
    # dlt asks for these, and uses them for its own messages.
    credentials.database = parameters.get("dbname", "")
    credentials.username = parameters.get("user", "")
    credentials.password = parameters.get("password", "")
    credentials.host = parameters.get("host", "local socket")
    credentials.query = {"options": parameters.get("options", "")}
    credentials.resolve()
    return credentials
