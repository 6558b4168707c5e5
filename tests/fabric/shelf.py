"""An LMTP server in the story's own hands, and a fabric that keeps its mailboxes there.

Law: it keeps what it says 250 to, or not: what is lost or doubled is counted here, by who got what.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from heliograph.configuration.settings import FILE_NAME
from tests.fabric.town import read


@dataclass
class Shelf:
    """An LMTP server that keeps all. `greet`, `rcpt` and `end` answer a connection, a recipient before and after the
    content; "" hangs up there, `SILENCE` says nothing more."""

    kept: list[tuple[str, str]] = field(default_factory=list)  # (recipient, subject)
    transactions: list[list[str]] = field(default_factory=list)
    greet: Callable[[], str] = lambda: "220 box LMTP"
    rcpt: Callable[[str], str] = lambda recipient: "250 2.1.5 Ok"
    end: Callable[[str], str] = lambda recipient: "250 2.0.0 Saved"

    connections: set[asyncio.StreamWriter] = field(default_factory=set)

    def hang_up(self) -> None:
        """End all that is kept open."""
        for writer in self.connections:
            writer.close()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, HungUp):
            await self._say(writer, self.greet())
            taken: list[str] = []
            while line := (await reader.readline()).decode().strip():
                verb = line.partition(" ")[0].upper()
                if verb == "RCPT":
                    to = line.partition("<")[2].rpartition(">")[0]
                    reply = self.rcpt(to)
                    taken += [to] if reply.startswith("2") else []
                    await self._say(writer, reply)
                elif verb == "DATA":
                    await self._data(reader, writer, taken)
                    taken = []
                else:
                    taken = [] if verb in ("RSET", "MAIL") else taken
                    writer.write(b"250-box\r\n250-PIPELINING\r\n250 8BITMIME\r\n" if verb == "LHLO" else b"250 Ok\r\n")
        self.connections.discard(writer)
        writer.close()

    async def _data(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, taken: list[str]) -> None:
        if not taken:
            return await self._say(writer, "503 5.5.1 No valid recipients")
        await self._say(writer, "354 go")
        subject = str(read(await reader.readuntil(b"\r\n.\r\n"))["Subject"])
        self.transactions.append(taken)
        for to in taken:
            reply = self.end(to)
            self.kept += [(to, subject)] if reply.startswith("2") else []
            await self._say(writer, reply)
        return None

    async def _say(self, writer: asyncio.StreamWriter, reply: str) -> None:
        if not reply:
            raise HungUp
        if reply == SILENCE:
            await asyncio.sleep(3600)
        writer.write(f"{reply}\r\n".encode())

    def of(self, name: str) -> Counter[str]:
        """What somebody got, with the folders: "subject" or "folder: subject"."""
        said = Counter[str]()
        for to, subject in self.kept:
            who, _, folder = to.partition("@")[0].strip('"').partition("+")
            if who == name:
                said[f"{folder}: {subject}" if folder else subject] += 1
        return said

    def posts(self, name: str, prefix: str = "post") -> Counter[str]:
        """Of that, what begins so."""
        return Counter({subject: many for subject, many in self.of(name).items() if subject.startswith(prefix)})


class HungUp(Exception):
    """The connection ends here."""


SILENCE = "(silence)"


def put_on_shelf(root: Path, place: str, *hosts: str) -> None:
    """Have the mailboxes of these hosts (of all, where none is named) kept at a place."""
    configured, line = root / FILE_NAME, f'mailbox = "lmtp:{place}"\n'
    text = configured.read_text()
    if not hosts:
        text = text.replace("[mailboxes]\n", f"[mailboxes]\n{line}")
    for host in hosts:
        named = f'name = "{host}"\n'
        assert named in text, text
        text = text.replace(named, named + line)
    configured.write_text(text)


def take_off_shelf(root: Path) -> None:
    """Let all hosts keep their mailboxes themselves."""
    configured = root / FILE_NAME
    lines = [line for line in configured.read_text().splitlines(True) if not line.startswith("mailbox = ")]
    configured.write_text("".join(lines))
