"""Any host takes any login: the session of an account that lives elsewhere is carried on at its owner.

Law: the owner judges the password; this host only asks, passes the answer on, and then copies octets both ways until
either side ends. STARTTLS is over by then, and the owner offers none behind a stream.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mail.outcome import Deferred, Delivered, Outcome, Refused
from mailbox_host.imap.channel import Channel
from mailbox_host.imap.greeting import KEEPS_SENT
from mailbox_host.imap.responses import no
from mailbox_host.imap.settings import READ_BUFFER_OCTETS
from mailbox_host.imap.stand_in import FOR_READING
from mailbox_host.sent import WELCOME_KEEPING_SENT

SIGN_IN_SECONDS_MAX = 30.0  # the owner makes a guesser wait, see throttle
LINES_MAX = 20  # untagged ones before the owner's answer
# A client in clear text may stop sending and still want its answers (`printf ... | nc`). The stream to the owner is
# under TLS and has no such half, so the answers count as over when nothing has come for so long.
LAST_ANSWER_SECONDS_MAX = 5.0

OpenStream = Callable[[str, str], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
"""Open a stream to a host's IMAP server (host, client's IP address); OSError where it cannot be reached."""


@dataclass(frozen=True, slots=True)
class Local:
    """The account's bucket is ours."""


@dataclass(frozen=True, slots=True)
class Remote:
    """The account lives on this host. `sure`: by what was handed over, not by the zone alone: it may be asked even for
    a client of another host, whose zone is behind. `standby`: another host that has a copy, "" for none."""

    host: str
    sure: bool = False
    standby: str = ""


Locate = Callable[[str], Local | Remote]


@dataclass(frozen=True, slots=True)
class Upstream:
    """A signed-in stream to the owner; `status` is its tagged answer without the tag."""

    status: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


WELCOME = Delivered("2.7.0 Welcome", 235)
UNAVAILABLE = no("The host of this account cannot be reached, try again later", "UNAVAILABLE")  # RFC 5530 3


async def sign_in(
    open_stream: OpenStream, host: str, client: str, account: str, password: bytes
) -> Upstream | bytes | None:
    """Sign in at the owner. Return the stream, or the status to answer with; None where it cannot be reached."""
    try:
        async with asyncio.timeout(SIGN_IN_SECONDS_MAX):
            reader, writer = await open_stream(host, client)
            try:
                status = await _ask(reader, writer, account, password)
            except BaseException:
                writer.close()
                raise
    except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError):
        return None
    if status.upper().startswith(b"OK"):
        return Upstream(status, reader, writer)
    writer.close()
    return status


async def verify_remotely(
    open_stream: OpenStream, host: str, account: str, password: bytes, client: str = "-"
) -> Outcome:
    """Let the owner check a password, for submission: sign in, and out again."""
    answer = await sign_in(open_stream, host, client, account, password)
    if isinstance(answer, Upstream):
        with contextlib.closing(answer.writer):
            if FOR_READING not in answer.status:  # a copy's word is none: the password may be an old one
                return WELCOME_KEEPING_SENT if await _keeps_sent(answer) else WELCOME
    elif answer and b"[AUTHENTICATIONFAILED]" in answer.upper():
        return Refused("5.7.8 Wrong name or password", 535)
    # It is away, or in trouble ([SERVERBUG], a disk that fails): at 535 a client asks its user for another password.
    return Deferred("4.3.0 The host of this account cannot be reached, try again later", 454)


async def _keeps_sent(upstream: Upstream) -> bool:
    """Ask whether the account wants copies of what it submits, and sign out. In doubt, no: its client keeps them."""
    keeps = False
    with contextlib.suppress(OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError):
        async with asyncio.timeout(SIGN_IN_SECONDS_MAX):
            upstream.writer.write(b"B ID NIL\r\nC LOGOUT\r\n")
            for _ in range(LINES_MAX):
                line = await upstream.reader.readuntil(b"\r\n")
                keeps = keeps or KEEPS_SENT in line
                if line.startswith(b"B "):
                    break
    return keeps


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, account: str, password: bytes) -> bytes:
    greeting = await reader.readuntil(b"\r\n")
    if not greeting.upper().startswith(b"* OK"):
        raise ConnectionError("the owner takes no sessions now")
    name = account.encode()
    # As literals: a password may hold anything. Without waiting (RFC 7888): we know that the owner takes them so.
    writer.write(b"A LOGIN {%d+}\r\n%b {%d+}\r\n%b\r\n" % (len(name), name, len(password), password))
    await writer.drain()
    for _ in range(LINES_MAX):
        line = await reader.readuntil(b"\r\n")
        if line.startswith(b"A "):
            return line[2:].rstrip(b"\r\n")
    raise ConnectionError("the owner does not answer")


async def pipe(channel: Channel, upstream: Upstream, rest: bytes, changed: Callable[[], Awaitable[None]]) -> None:
    """Copy both ways until either side ends, and then what the owner still answers. `rest`: what the client has sent
    beyond its login; `changed`: waits for more of it."""
    outward = asyncio.create_task(_to_client(upstream.reader, channel))
    inward = asyncio.create_task(_to_owner(channel, upstream.writer, rest, changed))
    try:
        await asyncio.wait((outward, inward), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (outward, inward):
            task.cancel()
        await asyncio.gather(outward, inward, return_exceptions=True)
    try:
        await _to_client(upstream.reader, channel, LAST_ANSWER_SECONDS_MAX)
    except TimeoutError:
        pass
    finally:
        upstream.writer.close()


async def _to_client(reader: asyncio.StreamReader, channel: Channel, seconds: float | None = None) -> None:
    while True:
        await channel.drain()
        async with asyncio.timeout(seconds):
            data = await reader.read(READ_BUFFER_OCTETS)
        if not data:
            return
        channel.send(data)


async def _to_owner(
    channel: Channel, writer: asyncio.StreamWriter, rest: bytes, changed: Callable[[], Awaitable[None]]
) -> None:
    data = rest + channel.take()
    while data or not channel.at_end:
        if data:
            writer.write(data)
            await writer.drain()
        else:
            await changed()
        data = channel.take()
