"""An IMAP server of few words for a folder in memory, honest or not: `says` changes what it answers to a command."""

from __future__ import annotations

import asyncio
import base64
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from heliograph.founding.certificates import make_ca, make_server

PASSWORD = 'open "sesame" \\o/'
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Saying = Callable[["FarServer", str, asyncio.StreamWriter], Awaitable[bool]]


def letter(number: int, text: str = "", **fields: str) -> bytes:
    head = {"From": "zoe@far.example", "Subject": f"Letter {number}", "Message-ID": f"<{number}@far.example>", **fields}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in head.items())
    return f"{lines}\r\n{text or f'Text {number}.'}\r\n".encode()


class FarServer:
    """`folder`: messages by number. `asked`: every command that was given, without its tag."""

    def __init__(self, path: Path, *, idle: bool = True, plain: bool = True) -> None:
        self.folder: dict[int, bytes] = {}
        self.came: dict[int, str] = {}  # when, if not long after the tests' beginning
        self.validity, self.next_uid, self.password = 7, 1, PASSWORD
        self.idle, self.plain = idle, plain
        self.asked: list[str] = []
        self.connections = self.most_at_once = self.now = 0
        self.says: Saying | None = None
        self.greeting = "* OK hello"
        self.port = 0
        self._idling: set[asyncio.StreamWriter] = set()
        ca = make_ca("far.example", time.time())
        pair = make_server(ca, host="imap.far.example", domain="far.example", address="127.0.0.1", now=time.time())
        self.ca, self._pem, self._key = path / "far-ca.pem", path / "far.pem", path / "far.key"
        self.ca.write_bytes(ca.certificate_pem())
        self._pem.write_bytes(pair.certificate_pem())
        self._key.write_bytes(pair.key_pem())

    async def start(self) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._pem, self._key)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        self.hang_up()

    def hang_up(self) -> None:
        for writer in list(self._idling):
            writer.transport.abort()

    def add(self, *contents: bytes) -> None:
        for content in contents:
            self.folder[self.next_uid] = content
            self.next_uid += 1
        for writer in self._idling:
            writer.write(f"* {len(self.folder)} EXISTS\r\n".encode())

    @property
    def idling(self) -> int:
        return len(self._idling)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.now += 1
        self.most_at_once = max(self.most_at_once, self.now)
        try:
            writer.write(f"{self.greeting}\r\n".encode())
            while line := (await reader.readuntil(b"\r\n")).decode().rstrip():
                tag, _, command = line.partition(" ")
                self.asked.append(command)
                if self.says and await self.says(self, line, writer):
                    continue
                await self._answer(tag, command, reader, writer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.now -= 1
            self._idling.discard(writer)
            writer.close()

    async def _answer(self, tag: str, command: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(*lines: str, done: str = "OK done") -> None:
            writer.write("".join(f"{line}\r\n" for line in (*lines, f"{tag} {done}")).encode())

        match command.split(" "):
            case ["CAPABILITY"]:
                plain, idle = "AUTH=PLAIN " * self.plain, " IDLE" * self.idle
                say(f"* CAPABILITY IMAP4rev1 {plain}LITERAL+{idle}")
            case ["AUTHENTICATE", "PLAIN"]:
                writer.write(b"+ \r\n")
                told = base64.b64decode(await reader.readuntil(b"\r\n")).split(b"\0")
                good = told == [b"", b"alice@far.example", self.password.encode()]
                say(done="OK in" if good else "NO [AUTHENTICATIONFAILED] who are you?")
            case ["LOGIN", *_]:
                wanted = self.password.replace("\\", "\\\\").replace('"', '\\"')
                good = command == f'LOGIN "alice@far.example" "{wanted}"'
                say(done="OK in" if good else "NO [AUTHENTICATIONFAILED] who are you?")
            case ["EXAMINE", *_]:
                numbers = f"* OK [UIDVALIDITY {self.validity}] ok", f"* OK [UIDNEXT {self.next_uid}] ok"
                say(f"* {len(self.folder)} EXISTS", "* FLAGS (\\Seen)", *numbers, done="OK [READ-ONLY] open")
            case ["FETCH", numbers, _]:
                first, last = map(int, numbers.split(":"))
                uids = sorted(self.folder)[first - 1 : last]
                say(*(f"* {first + place} FETCH (FLAGS (UID) UID {uid})" for place, uid in enumerate(uids)))
            case ["UID", "SEARCH", "UID", span]:
                first, last = map(int, span.split(":"))
                say("* SEARCH " + " ".join(str(uid) for uid in sorted(self.folder) if first <= uid <= last))
            case ["UID", "SEARCH", "SINCE", _]:
                say("* SEARCH " + " ".join(map(str, sorted(self.folder))))
            case ["UID", "FETCH", numbers, "(UID", "INTERNALDATE)"]:
                days = {uid: self.came.get(uid, "17-Nov-2023 10:00:00 +0100") for uid in map(int, numbers.split(","))}
                say(*(f'* 1 FETCH (UID {uid} INTERNALDATE "{day}")' for uid, day in days.items()))
            case ["UID", "FETCH", numbers, "(UID", "RFC822.SIZE)"]:
                wanted_uids = [uid for uid in map(int, numbers.split(",")) if uid in self.folder]
                say(*(f"* 1 FETCH (UID {uid} RFC822.SIZE {len(self.folder[uid])})" for uid in wanted_uids))
            case ["UID", "FETCH", number, *_]:
                content = self.folder.get(int(number), b"")
                if "HEADER" in command:
                    content = content.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
                if content:
                    writer.write(f"* 1 FETCH (BODY[] {{{len(content)}}}\r\n".encode() + content)
                    writer.write(f" UID {number})\r\n".encode())
                say()
            case ["IDLE"]:
                writer.write(b"+ waiting\r\n")
                self._idling.add(writer)
                assert await reader.readuntil(b"\r\n") == b"DONE\r\n"
                self._idling.discard(writer)
                say()
            case ["LOGOUT"]:
                say("* BYE")
            case _:
                say(done="BAD what?")
