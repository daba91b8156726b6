"""PgBouncer in transaction mode, as Debian brings it, before a test's Postgres."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from tests.warehouse.command import free_port, wait_for_port

INI = """\
[databases]
* = host={host} port={port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {sessions}
"""


def knows_prepared_statements() -> bool:
    """Whether there is a PgBouncer that can remember them: since 1.21."""
    if shutil.which("pgbouncer") is None:
        return False
    said = subprocess.run(
        ["pgbouncer", "--version"], check=True, capture_output=True, text=True
    ).stdout
    found = re.match(r"PgBouncer (\d+)\.(\d+)", said)
    assert found, said
    return (int(found[1]), int(found[2])) >= (1, 21)


@contextmanager
def pooling(url: str, folder: Path, *, sessions: int, prepared: int) -> Iterator[str]:
    """Run PgBouncer before the server of a URL; give the URL that leads through it.

    It has so many sessions, and remembers so many prepared statements, if it can.
    """
    parts = conninfo_to_dict(url)
    login = {name: str(parts[name]) for name in ("user", "password", "dbname")}
    port = free_port()
    users = folder / "users.txt"
    users.write_text('"{user}" "{password}"\n'.format_map(login))
    ini = INI.format(
        host=parts["host"],
        port=parts["port"],
        own_port=port,
        users=users,
        sessions=sessions,
    )
    if knows_prepared_statements():
        ini += f"max_prepared_statements = {prepared}\n"
    file = folder / "pgbouncer.ini"
    file.write_text(ini)
    # It refuses to be root.
    user = ["--user=nobody"] if os.geteuid() == 0 else []
    with subprocess.Popen(["pgbouncer", "--quiet", *user, str(file)]) as process:
        try:
            wait_for_port(port, process)
            yield "postgresql://{user}:{password}@127.0.0.1:{port}/{dbname}".format(
                port=port, **login
            )
        finally:
            process.kill()
