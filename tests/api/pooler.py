"""A pooler before Postgres, as far as its clients can tell one."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import cast

from psycopg.conninfo import conninfo_to_dict

PROCESS = (2_000_000_011).to_bytes(4, "big")


class Pooler(socketserver.ThreadingTCPServer):
    """Passes all on, but names a process that is none of Postgres's."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, target: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), Client)
        self.target = target


class Client(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        target = cast(Pooler, self.server).target
        with socket.create_connection(target) as postgres:
            threading.Thread(
                target=pass_on, args=[self.request, postgres], daemon=True
            ).start()
            answers = postgres.makefile("rb")
            kind = b""
            # BackendKeyData; before it come the answers to the login.
            while kind != b"K" and (head := answers.read(5)):
                kind = head[:1]
                body = answers.read(int.from_bytes(head[1:], "big") - 4)
                if kind == b"K":
                    body = PROCESS + body[4:]
                self.request.sendall(head + body)
            with suppress(OSError):
                while data := answers.read1(65536):
                    self.request.sendall(data)


def pass_on(client: socket.socket, postgres: socket.socket) -> None:
    with suppress(OSError):
        while data := client.recv(65536):
            postgres.sendall(data)
        postgres.shutdown(socket.SHUT_WR)


@contextmanager
def pooling(url: str) -> Iterator[str]:
    """The URL of a pooler before the database of a URL."""
    parts = conninfo_to_dict(url)
    with Pooler((str(parts["host"]), int(str(parts["port"])))) as pooler:
        threading.Thread(target=pooler.serve_forever, daemon=True).start()
        host, port = pooler.server_address[:2]
        login = f"{parts['user']}:{parts['password']}"
        yield (
            f"postgresql://{login}@{host!s}:{port}/{parts['dbname']}"
            "?sslmode=disable&gssencmode=disable"
        )
        pooler.shutdown()
