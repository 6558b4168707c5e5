"""A session and its client joined in memory, and a server on real sockets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailbox_host import accounts, entries, folders
from mailbox_host.imap import dispatch
from mailbox_host.imap.effects import (
    AskLine,
    Close,
    Effect,
    NotSignedIn,
    Read,
    SignedIn,
    SignIn,
    StartTls,
    WaitForNews,
    Whole,
    Write,
)
from mailbox_host.imap.framing import Ask, Frame, Framer, TooLarge
from mailbox_host.imap.recent import RecentBook
from mailbox_host.imap.session import Session
from mailbox_host.imap.settings import Settings
from mailbox_host.imap.sign_in import WRONG_PASSWORD
from mailbox_host.tables import MIGRATIONS
from store import Store
from store.bodies import MIGRATION as STORE_MIGRATION

NOW = 1_700_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "host.db", [STORE_MIGRATION, *MIGRATIONS])
    store.write_now(lambda tx: accounts.add(tx, "alice", None, NOW))
    yield store
    store.close()


class Talk:
    """Speaks to one session, carrying out its effects at once. Each call returns the lines that it answered."""

    def __init__(self, store: Store, recents: RecentBook, **options: Any) -> None:
        self.store = store
        self.now = NOW
        self.session = Session(Settings("fabric.test", "host-1"), recents, lambda: self.now, **options)
        self.closed = False
        self._framer = Framer()
        self._steps: Any = None  # of a command that waits for a line or for news
        self._output = b""

    def __call__(self, text: str | bytes) -> list[str]:
        """Send lines (line ends are added to a str) and return the answer's lines."""
        data = text.encode() + b"\r\n" if isinstance(text, str) else text
        self._framer.receive(data)
        self._go_on()
        return self._said()

    def news(self) -> list[str]:
        """Ring the bell."""
        self._drive(self._steps, None)
        return self._said()

    def sign_in(self) -> Talk:
        assert self("0 LOGIN alice secret")[-1].startswith("0 OK")
        return self

    def _said(self) -> list[str]:
        lines = self._output.decode("utf-8", "surrogateescape").split("\r\n")
        self._output = b""
        assert lines.pop() == ""
        return lines

    def _go_on(self) -> None:
        while not self.closed:
            if self._steps is not None:
                line = self._framer.line()
                if line is None:
                    return
                self._drive(self._steps, line)
                continue
            self._framer.literal_octets_max = self.session.literal_octets_max
            self._framer.append_octets_max = self.session.append_octets_max
            event = self._framer.next()
            if event is None:
                return
            self._react(event)

    def _react(self, event: Frame | Ask | TooLarge) -> None:
        match event:
            case Ask():
                self._output += b"+ go\r\n"
            case TooLarge():
                self._drive(dispatch.refuse(self.session, event), None)
            case Frame():
                self._drive(dispatch.handle(self.session, event), None)

    def _drive(self, steps: Any, result: Any) -> None:
        self._steps = None
        send: Callable[[Any], Effect] = steps.send
        try:
            while True:
                effect = send(result)
                send = steps.send
                match effect:
                    case WaitForNews() | AskLine():
                        self._output += b"+ \r\n" if isinstance(effect, AskLine) else b""
                        self._steps = steps
                        return
                try:
                    result = self._carry_out(effect)
                except Exception as error:
                    send, result = steps.throw, error
        except StopIteration:
            return

    def _carry_out(self, effect: Effect) -> Any:
        match effect:
            case bytes():
                self._output += effect
            case Read(query):
                return query(self.store.reader)
            case Write(work):
                return self.store.write_now(work)
            case Whole(steps):
                return self._whole(steps)
            case SignIn(account, password):
                return SignedIn(account) if password == b"secret" else NotSignedIn(WRONG_PASSWORD)
            case StartTls():
                self._framer.rest()
            case Close():
                self.closed = True
        return None

    def _whole(self, steps: Any) -> Any:
        send, result = steps.send, None
        try:
            while True:
                effect = send(result)
                try:
                    send, result = steps.send, self._carry_out(effect)
                except Exception as error:
                    send, result = steps.throw, error
        except StopIteration as end:
            return end.value

    def file(
        self, content: bytes, mailbox: str = "INBOX", flags: int = 0, keywords: frozenset[str] = frozenset()
    ) -> int:
        """Put a message into a folder behind the session's back; return its UID."""
        folder = folders.find_folder(self.store.reader, "alice", mailbox)
        assert folder is not None
        return self.store.write_now(
            lambda tx: entries.append(tx, "alice", folder.id, content, flags, keywords, self.now).uid
        )


@pytest.fixture
def recents() -> RecentBook:
    return RecentBook()


@pytest.fixture
def talk(store: Store, recents: RecentBook) -> Callable[..., Talk]:
    """Make a client that is signed in."""
    return lambda **options: Talk(store, recents, **options).sign_in()


@pytest.fixture
def stranger(store: Store, recents: RecentBook) -> Callable[..., Talk]:
    return lambda **options: Talk(store, recents, **options)


@pytest.fixture
def clean() -> Callable[[list[str]], list[str]]:
    """Take the numbers that differ from run to run out of answers."""
    return lambda lines: [re.sub(r"UIDVALIDITY \d+", "UIDVALIDITY n", line) for line in lines]
