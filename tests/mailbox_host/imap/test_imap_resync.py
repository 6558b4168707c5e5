"""A client that resumes by QRESYNC sees what a client sees that asks for everything, whatever others did meanwhile."""

from __future__ import annotations

import asyncio
import random
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailbox_host import accounts
from mailbox_host.bell import Bell
from mailbox_host.imap import ImapServer, Settings
from mailbox_host.imap.recent import RecentBook
from mailbox_host.imap.shelf import Shelf
from mailbox_host.passwords import PasswordChecker, hash_password
from mailbox_host.tables import MIGRATIONS
from store import Store
from store.bodies import MIGRATION as STORE_MIGRATION
from tests.mailbox_host.imap.conftest import NOW, Talk

FETCHED = re.compile(r"\* (\d+) FETCH \((.*)\)")
ITEM = re.compile(r"UID (\d+)|FLAGS \(([^)]*)\)|MODSEQ \((\d+)\)")


class Mirror:
    """What a careful client remembers of a mailbox; `uids` has a 0 where only EXISTS was heard of a message."""

    def __init__(self) -> None:
        self.uids: list[int] = []
        self.flags: dict[int, frozenset[str]] = {}
        self.uidvalidity = self.modseq = self._shown = 0
        self._resuming = 0  # messages, by the EXISTS of a SELECT that resumes

    def open(self) -> str:
        self._resuming = -1
        return f" (QRESYNC ({self.uidvalidity} {self.modseq}))" if self.modseq else ""

    def hear(self, lines: list[str]) -> None:
        for line in lines:
            self._hear(line)
        self.modseq, self._shown = max(self.modseq, self._shown), 0
        if self._resuming:
            self._grow(self._resuming)
            assert len(self.uids) == self._resuming
            self._resuming = 0

    def _hear(self, line: str) -> None:
        if match := re.fullmatch(r"\* (\d+) EXISTS", line):
            if self._resuming:
                self._resuming = int(match[1])  # of the mailbox as it is: what vanished is told only after it
            else:
                self._grow(int(match[1]))
        elif match := re.fullmatch(r"\* VANISHED (\(EARLIER\) )?([\d:,]+)", line):
            self._lose(match[2], earlier=bool(match[1]))
        elif match := FETCHED.fullmatch(line):
            self._show(int(match[1]), match[2])
        elif match := re.search(r"\[(UIDVALIDITY|HIGHESTMODSEQ) (\d+)\]", line):
            if match[1] == "UIDVALIDITY":
                self.uidvalidity = int(match[2])
            else:
                self.modseq, self._shown = int(match[2]), 0
        assert "EXPUNGE" not in line.split()[2:3]

    def _grow(self, count: int) -> None:
        assert count >= len(self.uids)
        self.uids += [0] * (count - len(self.uids))

    def _lose(self, text: str, earlier: bool) -> None:
        for piece in text.split(","):
            low, _, high = piece.partition(":")
            for uid in range(int(low), int(high or low) + 1):
                self.flags.pop(uid, None)
                if uid in self.uids:
                    self.uids.remove(uid)
                elif not earlier:  # it went before its UID was told: one of the nameless, in its place
                    del self.uids[self._place_of(uid)]

    def _place_of(self, uid: int) -> int:
        after = next((at for at, known in enumerate(self.uids) if known > uid), len(self.uids))
        assert self.uids[after - 1] == 0, (uid, self.uids)
        return after - 1

    def _show(self, number: int, text: str) -> None:
        items = {match[0].split(" ")[0]: next(filter(None, match.groups()), "") for match in ITEM.finditer(text)}
        uid = int(items["UID"])
        if self._resuming > 0 and number > len(self.uids):
            self._grow(self._resuming)
        assert self.uids[number - 1] in (0, uid)
        self.uids[number - 1] = uid
        if "FLAGS" in items:
            self.flags[uid] = frozenset(items["FLAGS"].split()) - {"\\Recent"}
        self._shown = max(self._shown, int(items.get("MODSEQ", 0)))

    @property
    def nameless(self) -> str:
        """The numbers of messages whose UID is not known yet."""
        return ",".join(str(at + 1) for at, uid in enumerate(self.uids) if not uid)


def everything(lines: list[str]) -> dict[int, frozenset[str]]:
    fresh = Mirror()
    fresh.uids = [0] * len(lines)
    fresh.hear(lines)
    return fresh.flags


NUMBER = st.integers(1, 12)
OTHERS = st.one_of(
    st.tuples(st.just("append"), NUMBER),
    st.tuples(st.sampled_from(["expunge", "\\Seen", "$Label1", "-\\Seen"]), NUMBER),
)
OURS = st.one_of(
    st.tuples(st.sampled_from(["noop", "resume", "lost", "look", "select"]), NUMBER),
    st.tuples(st.sampled_from(["expunge", "\\Flagged", "silent"]), NUMBER),
)
STEPS = st.lists(st.one_of(st.tuples(st.just("other"), OTHERS), st.tuples(st.just("ours"), OURS)), max_size=40)


def change(talk: Talk, what: str, uid: int) -> list[str]:
    """What any session may do to a message."""
    match what:
        case "append":
            return talk(b"a APPEND INBOX {3+}\r\nabc\r\n")
        case "expunge":
            return talk(f"a UID STORE {uid} +FLAGS (\\Deleted)") + talk(f"b UID EXPUNGE {uid}")
        case "silent":
            return talk(f"a UID STORE {uid} +FLAGS.SILENT (\\Answered)")
    sign = "-" if what.startswith("-") else "+"
    return talk(f"a UID STORE {uid} {sign}FLAGS ({what.lstrip('-')})")


# An expunge that a FETCH must not tell, a later change that it may, and the line breaks.
INTERRUPTED = [
    ("other", ("expunge", 2)),
    ("other", ("\\Seen", 4)),
    ("ours", ("look", 1)),
    ("ours", ("lost", 1)),
]


@given(STEPS)
@example(INTERRUPTED)
@example([("other", ("\\Seen", 1)), ("ours", ("silent", 1))])  # what others did is not silent
@settings(deadline=None, max_examples=30)
def test_whoever_resumes_sees_what_is_there(tmp_path_factory, steps: list[tuple[str, tuple[str, int]]]) -> None:
    store = Store(tmp_path_factory.mktemp("host") / "host.db", [STORE_MIGRATION, *MIGRATIONS])
    store.write_now(lambda tx: accounts.add(tx, "alice", None, NOW))
    recents = RecentBook()
    other = Talk(store, recents).sign_in()
    other("a SELECT INBOX")
    for _ in range(6):
        other(b"a APPEND INBOX {3+}\r\nabc\r\n")
    mirror = Mirror()
    talk = resumed(store, recents, mirror)
    for who, (what, number) in steps:
        if who == "other":
            change(other, what, number)
        elif what in ("resume", "lost", "select"):
            if what == "resume":  # otherwise it was interrupted before it could ask again
                mirror.hear(talk("r NOOP"))
                named(talk, mirror)
            talk = resumed(store, recents, mirror)
        elif what == "noop":
            mirror.hear(talk("n NOOP"))
        elif what == "look" and mirror.uids:
            mirror.hear(talk(f"f FETCH {min(number, len(mirror.uids))} (UID FLAGS MODSEQ)"))
        elif what != "look":
            mirror.hear(ours(talk, what, number, mirror))
        named(talk, mirror)
    resumed(store, recents, mirror)
    store.close()


def ours(talk: Talk, what: str, uid: int, mirror: Mirror) -> list[str]:
    said = change(talk, what, uid)
    if what == "silent" and uid in mirror.flags:  # the client knows what it has done
        mirror.flags[uid] |= {"\\Answered"}
    return said


def named(talk: Talk, mirror: Mirror) -> None:
    if mirror.nameless:
        mirror.hear(talk(f"u FETCH {mirror.nameless} (UID FLAGS)"))


def resumed(store: Store, recents: RecentBook, mirror: Mirror) -> Talk:
    talk = Talk(store, recents).sign_in()
    talk("a ENABLE QRESYNC")
    mirror.hear(talk(f"b SELECT INBOX{mirror.open()}"))
    named(talk, mirror)
    witness = Talk(store, recents).sign_in()
    witness("a EXAMINE INBOX")
    true = everything(witness("b UID FETCH 1:* (FLAGS)")[:-1])
    assert mirror.flags == true
    assert mirror.uids == sorted(true)
    return talk


class Line:
    """A client on a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> Line:
        line = cls(*await asyncio.open_connection("127.0.0.1", port))
        await line._reader.readline()
        assert (await line.ask("a LOGIN alice secret"))[-1].startswith("a OK")
        return line

    async def ask(self, text: str) -> list[str]:
        self.writer.write(text.encode() + b"\r\n")
        lines: list[str] = []
        while not lines or not lines[-1].startswith(text.split()[0] + " "):
            lines.append((await self._reader.readline()).decode().rstrip("\r\n"))
            assert lines[-1], lines
        return lines


async def meddle(port: int, chance: random.Random) -> None:
    """Change the mailbox in every way, without a look at what others do."""
    line = await Line.to(port)
    await line.ask("a SELECT INBOX")
    for _ in range(60):
        first = chance.randint(1, 60)
        match chance.randint(0, 3):
            case 0:
                await line.ask("b APPEND INBOX {3+}\r\nabc")
            case 1:
                await line.ask(f"b UID STORE {first}:{first + 3} +FLAGS.SILENT (\\Deleted)")
                await line.ask(f"c UID EXPUNGE {first}:{first + 3}")
            case _:
                sign = chance.choice("+-")
                await line.ask(f"b UID STORE {first}:{first + 20} {sign}FLAGS.SILENT (\\Seen $Label{first % 4})")
    line.writer.close()


async def follow(port: int, mirror: Mirror, chance: random.Random, busy: list[asyncio.Task[None]]) -> None:
    """Resume again and again, with breaks at any point."""
    while True:
        last = all(task.done() for task in busy)
        line = await Line.to(port)
        await line.ask("a ENABLE QRESYNC")
        mirror.hear(await line.ask(f"b SELECT INBOX{mirror.open()}"))
        for _ in range(chance.randint(0, 4)):
            await name_all(line, mirror)
            number = chance.randint(1, len(mirror.uids) or 1)
            asked = chance.choice(["NOOP", f"FETCH {number} (UID FLAGS MODSEQ)"])
            mirror.hear(await line.ask(f"c {asked}") if mirror.uids else [])
        await name_all(line, mirror)
        line.writer.close()
        if last:
            return


async def name_all(line: Line, mirror: Mirror) -> None:
    """A client stores a state that it knows all UIDs of: what vanishes later is told by UID."""
    while mirror.nameless:
        mirror.hear(await line.ask(f"u UID FETCH {max(mirror.uids) + 1}:* (UID FLAGS)"))


async def test_whoever_resumes_while_others_go_on(tmp_path: Path) -> None:
    store = Store(tmp_path / "host.db", [STORE_MIGRATION, *MIGRATIONS])
    store.write_now(lambda tx: accounts.add(tx, "alice", hash_password(b"secret"), NOW))
    passwords = PasswordChecker(threads=1)
    server = ImapServer(store, Bell(), passwords, Settings("fabric.test", "host-1"))
    port = await server.serve("127.0.0.1", 0)
    chance, mirror = random.Random(7162), Mirror()
    busy = [asyncio.create_task(meddle(port, random.Random(seed))) for seed in range(3)]
    await follow(port, mirror, chance, busy)
    await asyncio.gather(*busy)
    witness = await Line.to(port)
    await witness.ask("a EXAMINE INBOX")
    true = everything((await witness.ask("b UID FETCH 1:* (FLAGS)"))[:-1])
    assert mirror.flags == true
    assert mirror.uids == sorted(true)
    await server.close()
    passwords.close()
    store.close()


def test_a_keyword_stays_known_when_nobody_carries_it(talk) -> None:
    """A client that resumes may still hold it; FLAGS may come before the FETCH that takes it away."""
    shelf = Shelf()
    client, other = talk(shelf=shelf), talk(shelf=shelf)
    client.file(b"Subject: x\r\n\r\n")
    client("a SELECT INBOX")
    client("b STORE 1 +FLAGS.SILENT ($Label1)")
    client("c STORE 1 -FLAGS.SILENT ($Label1)")
    flags = next(line for line in other("a SELECT INBOX") if line.startswith("* FLAGS"))
    assert "$Label1" in flags


@pytest.mark.parametrize(
    "use", ["FETCH 1 (FLAGS) (CHANGEDSINCE 1)", "ENABLE CONDSTORE", "STATUS INBOX (HIGHESTMODSEQ)"]
)
def test_who_asks_for_condstore_is_told_no_more_than_it_knows(talk, use):
    """It may be gone before it hears of the rest; resuming from there, it would never."""
    alice, other = talk(), talk()
    for _ in range(3):
        alice.file(b"Subject: a\r\n\r\ntext\r\n")
    alice("a SELECT INBOX")
    other("a SELECT INBOX")
    other("b STORE 3 +FLAGS (\\Deleted \\Flagged)")
    other("c EXPUNGE")
    told = next(line for line in alice(f"b {use}") if line.startswith("* OK [HIGHESTMODSEQ"))
    assert told == "* OK [HIGHESTMODSEQ 4] Highest"
