"""A streaming replica of the embedded Postgres, as a second machine would hold it.

It lives in a folder of its own and is stopped, started and removed as any other server
of the sandbox is: see sandbox/postgres.py. `select pg_promote()` makes it a primary.
"""

import subprocess
from pathlib import Path

from psycopg.conninfo import make_conninfo

from sandbox import postgres
from sandbox.binaries import runner
from sandbox.place import USER, Server, locate, locked, write_secret
from warehouse.errors import UserError

PASSWORDS = "passwords"
"""The file of the primary's password, in the folder where libpq runs."""


def start(primary: Server, folder: Path, *, durable: bool = True) -> Server:
    """Return a replica of the primary, copied into the folder and following it.

    Login and databases are those of the primary. Raises UserError, with the server's
    own words, when the primary cannot be copied or the replica not started.
    """
    place = locate(folder)
    place.folder.mkdir(parents=True)
    with locked(place.folder):
        place.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        programs = runner()
        programs.give(place.home)
        passwords = place.home / PASSWORDS
        login = primary.url.split("@")[0].removeprefix("postgresql://")
        password = login.removeprefix(f"{USER}:")
        write_secret(passwords, f"*:*:*:{USER}:{password}\n")
        programs.give(passwords)
        try:
            programs.run(
                "pg_basebackup",
                f"--pgdata={place.data.name}",
                "--dbname="
                + make_conninfo(
                    host="127.0.0.1",
                    port=primary.port,
                    user=USER,
                    passfile=PASSWORDS,
                    application_name=place.folder.name,
                ),
                "--checkpoint=fast",
                # Makes it a standby that asks its primary in the same words.
                "--write-recovery-conf",
                *([] if durable else ["--no-sync"]),
                cwd=place.home,
            )
        except subprocess.CalledProcessError as error:
            raise UserError(
                f"The primary cannot be copied: {' '.join(error.stdout.split())}. "
                "Make room in the folder of the replica, and see that the primary runs."
            ) from None
        # A server runs in its data.
        passwords.rename(place.data / PASSWORDS)
        write_secret(place.password, password)
    return postgres.start(folder, durable=durable)
