"""TLS before a Postgres that has none, for clients that show a certificate of ours."""

import asyncio
import datetime
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SSL_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)
"""What libpq sends first when it wants TLS."""

NO_LIMIT = 2**26


@dataclass(frozen=True)
class Front:
    """Where the front listens, and the files that a client needs."""

    port: int
    authority: Path
    certificate: Path
    key: Path

    @property
    def parameters(self) -> str:
        """The query of a URL that leads through the front."""
        return (
            f"sslmode=verify-full&sslrootcert={self.authority}"
            f"&sslcert={self.certificate}&sslkey={self.key}"
        )


@contextmanager
def tls_front(folder: Path, port: int) -> Iterator[Front]:
    """Listen on loopback, and pass on to this port who speaks TLS and is known."""
    authority, authority_key = _issue(folder, "authority", None)
    _issue(folder, "localhost", (authority, authority_key))
    _issue(folder, "client", (authority, authority_key))
    context = ssl.create_default_context(
        ssl.Purpose.CLIENT_AUTH, cafile=folder / "authority.pem"
    )
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(folder / "localhost.pem", folder / "localhost.key")

    async def meet(
        client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError):
            if await client.readexactly(len(SSL_REQUEST)) == SSL_REQUEST:
                to_client.write(b"S")
                await to_client.start_tls(context)
                server, to_server = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(
                    _pass_on(client, to_server), _pass_on(server, to_client)
                )
        to_client.close()

    loop = asyncio.new_event_loop()
    listening = loop.run_until_complete(
        asyncio.start_server(meet, "127.0.0.1", 0, limit=NO_LIMIT)
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield Front(
            listening.sockets[0].getsockname()[1],
            *(folder / name for name in ("authority.pem", "client.pem", "client.key")),
        )
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        listening.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.1))
        loop.close()


async def _pass_on(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(65_536):
            to.write(piece)
            await to.drain()
    finally:
        to.close()


Issuer = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _issue(folder: Path, name: str, issuer: Issuer | None) -> Issuer:
    """Write a certificate of this name, and its key; an authority has no issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    hour = datetime.timedelta(hours=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - hour)
        .not_valid_after(now + hour)
        .add_extension(x509.BasicConstraints(issuer is None, None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
    )
    file = folder / f"{name}.key"
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, key
