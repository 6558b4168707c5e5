"""A Door in memory, a client that speaks octets, and a transport that is none: what the door's tests share."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mail.address import Address
from mail.outcome import Deferred, Delivered, Outcome, Refused
from spool.door import Envelope, Role, Session
from spool.listeners import Listener, serve
from spool.lobby import Entrance, Lobby
from spool.smtp_server import SmtpServer
from spool.smtp_settings import Settings

PASSWORD = "open-sesame"


class FakeDoor:
    """Knows everybody but nobody@; `slow*@` is answered later; what it accepted is in `letters`."""

    def __init__(self) -> None:
        self.letters: list[tuple[Envelope, bytes]] = []
        self.attempts: list[tuple[str, bytes]] = []
        self.proofs: list[tuple[str, str, str]] = []
        self.asked = self.asking = self.asking_most = 0
        self.accepting: Callable[[], Awaitable[None]] | None = None
        self.fault: Exception | None = None

    async def authenticate(self, session: Session, username: str, password: bytes) -> Outcome:
        self.attempts.append((username, password))
        if username == "away":
            return Deferred("4.7.0 Your host is away")
        if password != PASSWORD.encode():
            return Refused("5.7.8 No", 535)
        session.entity = username
        return Delivered()

    def prove(self, session: Session, host: str, nonce: str, proof: str) -> Outcome:
        self.proofs.append((host, nonce, proof))
        if proof != f"{nonce}!":
            return Refused("5.7.0 That proves nothing")
        session.host = host
        return Delivered()

    def sender(self, session: Session, sender: Address | None) -> Outcome:
        return Refused("5.7.1 Not you") if sender and sender.local == "spammer" else Delivered()

    def recipient(self, session: Session, envelope: Envelope, address: Address) -> Outcome | Awaitable[Outcome]:
        if address.local == "broken":
            raise RuntimeError("secret inside")
        if address.local == "nobody":
            return Refused("5.1.1 No such user here")
        if address.local == "later":
            return Deferred("4.2.1 Not now")
        return self._ask(address) if address.local.startswith("slow") else Delivered()

    async def _ask(self, address: Address) -> Outcome:
        self.asked += 1
        self.asking += 1
        self.asking_most = max(self.asking, self.asking_most)
        await asyncio.sleep(0.01)
        self.asking -= 1
        if address.local.endswith("broken"):
            raise RuntimeError("secret inside")
        return Refused("5.1.1 Her host does not know her") if address.local.endswith("nobody") else Delivered()

    async def accept(self, session: Session, envelope: Envelope, content: bytes) -> Outcome:
        if self.accepting:
            await self.accepting()
        if self.fault:
            raise self.fault
        if b"Subject: refuse me" in content:
            return Refused("5.7.1 Not such a message")
        self.letters.append((envelope, content))
        return Delivered(f"2.0.0 Ok, queued as {len(self.letters)}")


def settings(**changes: Any) -> Settings:
    return Settings("host-1.fabric.test", "fabric.test", **{"close_seconds_max": 2.0, **changes})


@asynccontextmanager
async def open_door(
    door: FakeDoor,
    role: Role = "mx",
    tls: ssl.SSLContext | None = None,
    implicit_tls: bool = False,
    lobby: Lobby | None = None,
    **changes: Any,
) -> AsyncIterator[Listener]:
    listener = await serve(door, settings(**changes), role, ("127.0.0.1", 0), tls, implicit_tls, lobby)
    try:
        yield listener
    finally:
        await listener.close()


class Talk:
    """A client that sends octets and reads replies."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, *parts: bytes | str) -> None:
        self.writer.write(b"".join(part.encode() if isinstance(part, str) else part for part in parts))

    async def reply(self) -> str:
        """Read one reply, its lines joined by newlines."""
        lines = []
        while True:
            line = (await self.reader.readline()).decode()
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                return "\n".join(lines)

    async def replies(self, count: int) -> list[str]:
        return [await self.reply() for _ in range(count)]

    async def ask(self, *lines: str) -> list[str]:
        """Send lines at once, read a reply for each."""
        self.send("".join(f"{line}\r\n" for line in lines))
        return await self.replies(len(lines))

    async def rest(self) -> list[str]:
        """Read until the server closes."""
        return (await self.reader.read()).decode().splitlines()


@asynccontextmanager
async def talk(listener: Listener, hello: str = "EHLO client.test", tls: ssl.SSLContext | None = None) -> Any:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, ssl=tls)
    client = Talk(reader, writer)
    try:
        assert (await client.reply()).startswith("220 host-1.fabric.test ")
        if hello:
            assert (await client.ask(hello))[0].startswith("250")
        yield client
    finally:
        writer.close()


def codes(replies: Sequence[str]) -> list[str]:
    """``250 2.1.0 Ok`` -> ``250 2.1.0``."""
    return [" ".join(reply.split()[:2]) for reply in replies]


class NoTransport(asyncio.Transport):
    """A connection to `peer` whose packets are cut exactly as a test wants. `unread`: what the client has not read."""

    unread = 0

    def __init__(self, peer: str) -> None:
        super().__init__({"peername": (peer, 12345)})
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return self.unread

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def session_on(door: FakeDoor, transport: NoTransport, role: Role = "mx", **changes: Any) -> SmtpServer:
    """Start a session on such a transport."""
    chosen = settings(**changes)
    session = SmtpServer(Entrance(door, chosen, role, None, Lobby(chosen)))
    session.connection_made(transport)
    await quiet()
    return session


async def quiet() -> None:
    """Let everything happen that needs no waiting."""
    for _ in range(20):
        await asyncio.sleep(0)


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a certificate for localhost: (the server's context, a client's that trusts it)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    day = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(day - datetime.timedelta(days=1))
        .not_valid_after(day + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(*plain))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    client = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    client.check_hostname = False
    return server, client
