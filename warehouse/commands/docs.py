"""`docs`: dbt's documentation of the marts, with their lineage, for a browser."""

from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from warehouse import dbt
from warehouse.commands.databases import builders_url
from warehouse.errors import UserError
from warehouse.settings import Settings


def docs(settings: Settings, port: int) -> int:
    """Make the documentation, and serve it on loopback until interrupted.

    Raises UserError when it cannot be made, or when the port is taken.
    """
    url = builders_url(settings)
    # Not by `dbt docs serve`: once it has ended, its port stays taken for a minute.
    with _server(dbt.folder(url) / "target", port) as server:
        dbt.run(["docs", "generate"], url, quiet=True)
        address = f"http://127.0.0.1:{port}"
        print(f"The documentation is at {address}; Ctrl+C ends it.", flush=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
    return 0


def _server(folder: Path, port: int) -> ThreadingHTTPServer:
    handler = partial(_QuietHandler, directory=str(folder))
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise UserError(
            f"Port {port} cannot be used: {error.strerror}. "
            "Choose another one: make docs ARGS='--port 8081'."
        ) from None


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of a request."""
