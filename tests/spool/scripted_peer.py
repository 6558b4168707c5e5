"""A scripted SMTP server on a real socket: a normal one that can be told to misbehave.

Law: it keeps what it heard and took, so that tests tell stories about it. No more SMTP than a client of ours sees.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

FEATURES = ("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE 1000000")


@dataclass
class Taken:
    """One message that was answered 250."""

    sender: str
    recipients: list[str]
    content: bytes
    mail: str  # MAIL's line as it came
    rcpts: list[str]


@dataclass
class Peer:
    """`rcpt` answers a recipient; `end` answers the final dot; both may be replaced by a test."""

    features: tuple[str, ...] = FEATURES
    greeting: str = "220 peer.test ESMTP"
    rcpt: Callable[[str], str] = lambda address: "250 2.1.5 Ok"
    mail: Callable[[str], str] = lambda line: "250 2.1.0 Ok"
    data: Callable[[], str] = lambda: "354 go on"
    end: Callable[[Taken], str] = lambda taken: "250 2.0.0 Taken"
    hook: Callable[[str, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]] | None = None
    tls: ssl.SSLContext | None = None
    heard: list[str] = field(default_factory=list)
    bursts: list[list[str]] = field(default_factory=list)  # commands that came together
    taken: list[Taken] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    busiest: int = 0
    port: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self, port: int = 0) -> Peer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        if self._server:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Peer:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def recipients(self) -> list[str]:
        return [recipient for taken in self.taken for recipient in taken.recipients]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self.connections += 1
        self.open += 1
        self.busiest = max(self.busiest, self.open)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._talk(reader, writer)
        finally:
            self.open -= 1
            self._tasks.discard(task)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(line: str) -> None:
            writer.write(line.encode() + b"\r\n")

        sender, mail_line, recipients, rcpts = "", "", list[str](), list[str]()
        say(self.greeting)
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            self.heard.append(line)
            if self.hook and await self.hook(line, reader, writer):
                continue
            verb = line.upper().split(" ")[0].split(":")[0]
            if verb == "EHLO":
                lines = ["peer.test", *self.features]
                for n, text in enumerate(lines):
                    say(f"250{' ' if n == len(lines) - 1 else '-'}{text}")
            elif verb == "STARTTLS" and self.tls:
                say("220 2.0.0 Ready")
                await writer.drain()
                await writer.start_tls(self.tls)
            elif verb == "MAIL":
                mail_line, sender, recipients, rcpts = line, path(line), [], []
                say(self.mail(line))
            elif verb == "RCPT":
                reply = self.rcpt(path(line))
                if reply.startswith("2"):
                    recipients.append(path(line))
                    rcpts.append(line)
                say(reply)
            elif verb == "DATA":
                reply = self.data()
                if reply.startswith("354") and not recipients and not self.mail(mail_line).startswith("5"):
                    reply = "503 5.5.1 no recipients"
                say(reply)
                if reply.startswith("354"):
                    raw = await reader.readuntil(b"\r\n")
                    if raw != b".\r\n":
                        raw += await reader.readuntil(b"\r\n.\r\n")
                    content = raw[:-3].replace(b"\r\n..", b"\r\n.")
                    content = content[1:] if content.startswith(b"..") else content
                    content = b"" if raw == b".\r\n" else content
                    taken = Taken(sender, recipients, content, mail_line, rcpts)
                    answer = self.end(taken)
                    if answer.startswith("2"):
                        self.taken.append(taken)
                    say(answer)
                    recipients = []
            elif verb == "QUIT":
                say("221 2.0.0 Bye")
                return
            else:
                say("250 2.0.0 Ok")
            await writer.drain()


def path(line: str) -> str:
    return line[line.index("<") + 1 : line.rindex(">")]
