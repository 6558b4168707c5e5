"""What hostile clients and messages cost a host: memory, processor time, and the patience of others.

Law: these are stopwatches, and so no part of `make test`; there the same inputs are counted, not timed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mail.headers import split_message
from mailbox_host.columns import columns_of
from mailbox_host.entries import Entry
from mailbox_host.facts import facts_of
from mailbox_host.header_cuts import MOST_WANTED, cut
from mailbox_host.imap.commands import BodyPart, Key, Section
from mailbox_host.imap.framing import Frame, Framer
from mailbox_host.imap.header_words import words_of
from mailbox_host.imap.masks import View
from mailbox_host.imap.matching import Candidate, compile_key
from mailbox_host.imap.parser import BadCommand, parse
from mailbox_host.imap.patterns import Patterns
from mailbox_host.imap.sections import Content, part_of
from mailbox_host.imap.selected import Selected
from mailbox_host.imap.settings import BAD_COMMANDS_MAX
from mailbox_host.imap.sorting import VALUES
from mailbox_host.passwords import hash_password
from tests.mailbox_host.nasty import NASTY

pytestmark = pytest.mark.soak

ROOT = Path(__file__).parents[2]
OCTETS = 64 * 1024
MS_PER_64_KB_MAX = 50.0
MB = 1_000_000
ENTRY = Entry(1, 1, 0, "", 1, 0.0, 10)
VIEW = View(Selected(1, "INBOX", [1], 1, True), columns_of(1, [ENTRY]), [0], 0.0)

Work = Callable[[bytes], object]


def works() -> dict[str, Work]:
    """All that is done with a message because somebody asks for it."""
    found: dict[str, Work] = {"facts": facts_of, "cut": lambda content: cut(split_message(content)[0], MOST_WANTED)}
    found["words"] = lambda content: words_of(split_message(content)[0])
    for name in ("BODY", "TEXT"):
        found[f"search {name}"] = _search(Key(name, "qzxjkvq (a"))
    found["search SENTON"] = _search(Key("SENTON", 0))
    for name, value in VALUES.items():
        found[f"sort {name}"] = lambda content, value=value: value(ENTRY, split_message(content)[0])
    for path in ((1,), (2,), (1,) * 20, (1000,)):
        found[f"BODY{list(path)}"] = _part(Section(path))
    return found


def _search(key: Key) -> Work:
    test = compile_key(key, VIEW)
    return lambda content: test(Candidate(0, Content(*split_message(content))))


def _part(section: Section) -> Work:
    item = BodyPart(section, b"", peek=True)
    return lambda content: part_of(Content(*split_message(content)), item)


def milliseconds(work: Callable[[], object]) -> float:
    """The best of three: what others do on this machine is not counted."""
    times = []
    for _ in range(3):
        before = time.process_time()
        work()
        times.append(time.process_time() - before)
    return min(times) * 1000


def test_no_message_takes_long(capsys: pytest.CaptureFixture[str]) -> None:
    worst: list[tuple[float, str]] = []
    for octets in (OCTETS, 4 * OCTETS):
        for name, make in NASTY.items():
            content = make(octets)
            for what, work in works().items():
                spent = milliseconds(lambda content=content, work=work: work(content))
                worst.append((spent / (octets / OCTETS), f"{what} of {name}, {octets // 1024} KB"))
    report(capsys, worst)


LINES: dict[str, bytes] = {
    "parentheses": b"SEARCH " + b"(" * 65_000,
    "nested NOT": b"SEARCH " + b"NOT " * 16_000 + b"ALL",
    "nested OR": b"SEARCH " + b"OR ALL " * 9_000 + b"ALL",
    "many keys": b"SEARCH " + b"LARGER 1 " * 999 + b"ALL",
    "a set of many": b"FETCH " + b"1:*," * 16_000 + b"1 FLAGS",
    "a set of one by one": b"UID FETCH " + b",".join(b"%d" % n for n in range(1, 13_000)) + b" FLAGS",
    "many sections": b"FETCH 1 (" + b"".join(b"BODY[]<%d.1> " % n for n in range(4_000)) + b"UID)",
    "many fields": b"FETCH 1 BODY[HEADER.FIELDS (" + b"To " * 20_000 + b")]",
    "a long path": b"FETCH 1 BODY[" + b"1." * 30_000 + b"1]",
    "escapes": b'SEARCH SUBJECT "' + b"\\\\" * 32_000 + b'"',
    "an open quote": b'SEARCH SUBJECT "' + b"a" * 65_000,
    "an open quote with escapes": b'LOGIN "' + b'\\"' * 32_000,
    "flags": b"STORE 1 +FLAGS (" + b"a " * 30_000 + b"a)",
    "shifts": b"SELECT " + b"&AOQ-" * 12_000,
    "ID": b"ID (" + b"NIL " * 15_000 + b"NIL)",
    "patterns": b'LIST "" (' + b"*% " * 20_000 + b"*)",
    "status items": b"STATUS INBOX (" + b"MESSAGES " * 7_000 + b"UNSEEN)",
    "literals": b"SEARCH" + b" TEXT {0+}\r\n" * 2_000 + b" ALL",
    "lines": b"\r\n" * 32_000,
    "tags": b"a" * 65_000,
}


def parsed(octets: bytes) -> None:
    framer = Framer()
    framer.literal_octets_max = OCTETS
    framer.receive(b"a " + octets + b"\r\n")
    wrong = 0
    while wrong < BAD_COMMANDS_MAX and (event := framer.next()):
        if isinstance(event, Frame):
            try:
                parse(event)
            except BadCommand:
                wrong += 1


def test_no_command_takes_long(capsys: pytest.CaptureFixture[str]) -> None:
    report(capsys, [(milliseconds(lambda line=line: parsed(line)), name) for name, line in LINES.items()])


def test_patterns_against_a_thousand_folders(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["a/" * 15 + "a" * 470 + str(number) for number in range(1000)]
    worst = []
    for pattern in ("*a" * 38 + "x", "*%" * 30_000, "%a" * 38, "*" + "a*" * 38):
        patterns = Patterns("", tuple(pattern + str(number) for number in range(50)))
        spent = milliseconds(lambda patterns=patterns: [patterns._matcher.matches(name) for name in names])
        worst.append((spent / 1000 * 64, f"50 x {pattern[:10]}"))  # of 64 folders, whose names are 32 KB
    report(capsys, worst)


def report(capsys: pytest.CaptureFixture[str], worst: list[tuple[float, str]]) -> None:
    worst.sort(reverse=True)
    with capsys.disabled():
        print("\nms of processor time per 64 KB:")
        for spent, name in worst[:8]:
            print(f"{spent:8.1f}  {name}")
    assert worst[0][0] < MS_PER_64_KB_MAX


class Victim:
    """A host in a process of its own, and what can be seen of it."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port

    def megabytes(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        match = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert match is not None
        return int(match[1]) / 1000

    def connect(self, *, signed_in: bool = True, receive_octets: int = 0) -> socket.socket:
        client = socket.socket()
        if receive_octets:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_octets)
        client.settimeout(120)
        client.connect(("127.0.0.1", self.port))
        client.recv(4096)
        if signed_in:
            answer(client, b"a LOGIN alice secret")
            answer(client, b"b SELECT INBOX")
        return client


def answer(client: socket.socket, line: bytes) -> bytes:
    """Send a line; read until it is answered, or BYE; return the end of that."""
    client.sendall(line + b"\r\n")
    tag, tail = line.split(b" ")[0], b""
    while not re.search(rb"(?:^|\n)(?:%b (?:OK|NO|BAD)|\* BYE)[^\n]*\n\Z" % re.escape(tag), tail):
        piece = client.recv(1 << 20)
        if not piece:
            return tail
        tail = (tail + piece)[-2_000:]
    return tail


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    wishes = {
        "users": [("alice", hash_password(b"secret"))],
        "messages": 10_000,
        "folders": [],
    }
    process = subprocess.Popen(
        [
            sys.executable,
            str(ROOT / "bench" / "imap_host.py"),
            str(tmp_path_factory.mktemp("host")),
            json.dumps(wishes),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout and process.stdin
    yield Victim(process, int(process.stdout.readline()))
    process.stdin.close()
    process.wait(30)


def test_memory(victim: Victim, capsys: pytest.CaptureFixture[str]) -> None:
    with victim.connect() as client:  # warm: what is kept anyway is no attack's doing
        answer(client, b"c FETCH 1:* (FLAGS BODY.PEEK[])")
        answer(client, b"d SEARCH TEXT qzxjkvq")
    costs = {name: cost(victim, attack) for name, attack in ATTACKS.items()}
    with capsys.disabled():
        print("\nMB of memory while it lasts:")
        for name, (grown, allowed) in costs.items():
            print(f"{grown:8.1f}  {name} (allowed {allowed})")
    assert not [name for name, (grown, allowed) in costs.items() if grown > allowed]


Attack = tuple[Callable[[Victim], list[socket.socket]], int]


def cost(victim: Victim, attack: Attack) -> tuple[float, int]:
    carry_out, allowed = attack
    before = victim.megabytes()
    most, done = before, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.01):
            with contextlib.suppress(AssertionError, OSError):
                most = max(most, victim.megabytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    clients = carry_out(victim)
    time.sleep(0.5)
    done.set()
    watcher.join()
    for client in clients:
        client.close()
    return most - before, allowed


def announce_thousands(victim: Victim) -> list[socket.socket]:
    clients = [victim.connect() for _ in range(53)]
    for client in clients:
        for number in range(19):
            assert b"TOOBIG" in answer(client, b"c%d APPEND INBOX {4294967295}" % number)
    return clients


def drip_before_login(victim: Victim) -> list[socket.socket]:
    clients = [victim.connect(signed_in=False) for _ in range(200)]
    for client in clients:
        client.sendall(b"a LOGIN " + b"x" * 60_000)
    return clients


def half_a_message_each(victim: Victim) -> list[socket.socket]:
    clients = [victim.connect() for _ in range(20)]
    for client in clients:
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.send(b"c APPEND INBOX {30000000+}\r\n")
        for _ in range(40):
            with contextlib.suppress(BlockingIOError):
                client.send(b"x" * 500_000)
            time.sleep(0.002)
    return clients


def never_read(victim: Victim) -> list[socket.socket]:
    clients = [victim.connect(receive_octets=4096) for _ in range(40)]
    for client in clients:
        client.sendall(b"c FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[])\r\n")
    time.sleep(2)
    return clients


def windows(victim: Victim) -> list[socket.socket]:
    client = victim.connect()
    content = b"Subject: big\r\n\r\n" + b"x" * 30 * MB
    client.sendall(b"c APPEND Archive {%d+}\r\n" % len(content) + content)
    client.sendall(b"\r\n")
    assert b"OK" in answer(client, b"c2 NOOP")
    answer(client, b"d SELECT Archive")
    for number in range(3):
        parts = b" ".join(b"BODY.PEEK[]<%d.40000000>" % n for n in range(95))
        assert b" NO " in answer(client, b"e%d FETCH 1 (%b)" % (number, parts))
    return [client]


def pipeline(victim: Victim) -> list[socket.socket]:
    client = victim.connect()
    lines = b"".join(b"n%d NOOP\r\n" % number for number in range(100_000))
    threading.Thread(target=client.sendall, args=(lines,)).start()
    tail = b""
    while not tail.endswith(b"n99999 OK Done\r\n"):
        tail = (tail + client.recv(1 << 20))[-100:]
    return [client]


ATTACKS: dict[str, Attack] = {
    "{4294967295}, a thousand times": (announce_thousands, 20),
    "200 strangers with 60 KB of a line": (drip_before_login, 60),
    "20 APPENDs of 30 MB, half sent": (half_a_message_each, 120),
    "40 readers of 10,000 messages who never read": (never_read, 100),
    "95 windows into 30 MB": (windows, 500),
    "100,000 commands at once": (pipeline, 20),
}


def test_others_are_served_meanwhile(victim: Victim, capsys: pytest.CaptureFixture[str]) -> None:
    """The longest that another client waits for its NOOP while somebody works the host hard."""
    with victim.connect() as client:
        made = b"".join(b"m%d CREATE %b/%d%b\r\n" % (n, b"a/" * 10 + b"a", n, b"a" * 400) for n in range(900))
        client.sendall(made)
        answer(client, b"z NOOP")
    heavy = {
        "LIST, 50 patterns, 900 folders": b'c LIST "" (' + b" ".join(b"*a" * 38 + b"x%d" % n for n in range(50)) + b")",
        "SEARCH, 999 keys": b"c SEARCH " + b"LARGER 1 " * 999 + b"ALL",
        "SEARCH, 100 words": b"c SEARCH " + b" ".join(b"NOT TEXT qzxjkvq%d" % n for n in range(100)),
        "SORT by everything": b"c SORT (REVERSE DATE SUBJECT FROM TO CC SIZE ARRIVAL) UTF-8 ALL",
        "FETCH of everything": b"c FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY.PEEK[1])",
    }
    waits = {name: longest_wait(victim, line) for name, line in heavy.items()}
    with capsys.disabled():
        print("\nlongest wait of another client, ms:")
        for name, (longest, lasted) in waits.items():
            print(f"{longest * 1000:8.1f}  {name} (which took {lasted:.2f} s)")


def longest_wait(victim: Victim, line: bytes) -> tuple[float, float]:
    with victim.connect() as busy, victim.connect() as other:
        began = time.monotonic()
        worker = threading.Thread(target=answer, args=(busy, line))
        worker.start()
        longest, number = 0.0, 0
        while worker.is_alive():
            number += 1
            asked = time.monotonic()
            answer(other, b"n%d NOOP" % number)
            longest = max(longest, time.monotonic() - asked)
            time.sleep(0.005)
        return longest, time.monotonic() - began
