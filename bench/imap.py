"""The IMAP server beside Dovecot in the same run: `--quick`, `--json`; after `--only`, the lines wanted.

Law: both hold the same mail on the same disk, hash passwords alike and have an APPEND on disk before OK; they take
turns, and the best of five rounds counts, for what disturbs a round is never the program.
Ratios above 1: ours is faster.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from dovecot import Dovecot, is_installed, prepared, running
from imap_client import Client
from imap_mail import NEEDLE, folder_messages, inbox_messages, message

from mailbox_host.passwords import hash_password

HERE = Path(__file__).parent
PASSWORD = "correct horse"
FOLDERS = [f"folder{number:02}" for number in range(100)]
MESSAGES = 10_000
QUICK_MESSAGES = 2_000
ROUNDS = 5
LOGINS = 12  # in a round, four at a time; no name twice: ours remembers who has just signed in
APPENDS = 50
SELECTS = 10

# What Thunderbird 153 and mbsync 1.5 ask of every message of a mailbox that is new to them.
THUNDERBIRD = (
    b"UID FETCH 1:* (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID Priority "
    b"X-Priority References Newsgroups In-Reply-To Content-Type Reply-To Received)])"
)
MBSYNC = b"UID FETCH 1:* (UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (X-TUID MESSAGE-ID)])"

Action = Callable[[Client], None]


def ask(*commands: bytes) -> Action:
    def run(client: Client) -> None:
        for command in commands:
            client(command)

    return run


def append(client: Client) -> None:
    for number in range(APPENDS):
        content = message("appended", number)
        client(b"APPEND Sent (\\Seen) {%d+}\r\n%b" % (len(content), content))


def select(client: Client) -> None:
    for _ in range(SELECTS):
        client(b"SELECT INBOX")
        client(b"UNSELECT")


LINES: dict[str, Action] = {
    "fetch-flags": ask(b"UID FETCH 1:* (FLAGS)"),
    "fetch-envelope": ask(b"UID FETCH 1:* (ENVELOPE)"),
    "fetch-bodystructure": ask(b"UID FETCH 1:* (BODYSTRUCTURE)"),
    "fetch-headers-thunderbird": ask(THUNDERBIRD),
    "fetch-headers-mbsync": ask(MBSYNC),
    "fetch-full": ask(b"UID FETCH 1:* (BODY.PEEK[])"),
    "store-flags": ask(b"UID STORE 1:* +FLAGS.SILENT (\\Flagged)", b"UID STORE 1:* -FLAGS.SILENT (\\Flagged)"),
    "search-flags": ask(b"UID SEARCH UNSEEN UNDELETED"),
    "search-header": ask(b"UID SEARCH SUBJECT " + NEEDLE.encode()),
    "search-body": ask(b"UID SEARCH BODY " + NEEDLE.encode()),
    "append": append,
    "status-100-folders": ask(*(f"STATUS {n} (MESSAGES UNSEEN UIDNEXT UIDVALIDITY)".encode() for n in FOLDERS)),
    "select": select,  # after the others: it leaves nothing selected
}


def login(port: int, names: list[str]) -> None:
    """Sign in, four at a time."""

    def one(name: str) -> None:
        client = Client(port)
        client(f'LOGIN {name} "{PASSWORD}"'.encode())
        client.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, names))


@contextmanager
def our_host(users: list[tuple[str, str]], messages: int) -> Iterator[int]:
    """Run bench/imap_host.py on a fresh database; give its port."""
    with tempfile.TemporaryDirectory(prefix="heliograph-bench-") as folder:
        wishes = json.dumps({"users": users, "messages": messages, "folders": FOLDERS})
        command = [sys.executable, str(HERE / "imap_host.py"), folder, wishes]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as host:
            assert host.stdout and host.stdin
            try:
                yield int(host.stdout.readline())
            finally:
                host.stdin.close()
                host.wait(30)


def fill(dovecot: Dovecot, user: str, messages: int) -> None:
    dovecot.fill(user, "INBOX", inbox_messages(messages))
    for name in ("Sent", *FOLDERS):
        dovecot.fill(user, name, folder_messages(name) if name in FOLDERS else [])


def measure(ours: Callable[[], None], theirs: Callable[[], None], rounds: int) -> tuple[float, float]:
    """Take turns; return the best of each, in seconds."""
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        for side, action in enumerate((ours, theirs)):
            started = time.perf_counter()
            action()
            best[side] = min(best[side], time.perf_counter() - started)
    return best[0], best[1]


def lines(
    ports: tuple[int, int], wanted: list[str], users: list[str], rounds: int
) -> Iterator[tuple[str, float, float]]:
    clients = [Client(port) for port in ports]
    for client in clients:
        client(f'LOGIN {users[0]} "{PASSWORD}"'.encode())
        client(b"SELECT INBOX")
    for name, action in LINES.items():
        if name in wanted:
            for client in clients:
                action(client)  # warm: caches that fill at the first sight are full
            yield name, *measure(lambda a=action: a(clients[0]), lambda a=action: a(clients[1]), rounds)  # type: ignore[misc]
    if "login" in wanted:
        batches = [[users[1:][n::rounds] for n in range(rounds)] for _ in ports]
        yield (
            "login",
            *measure(lambda: login(ports[0], batches[0].pop()), lambda: login(ports[1], batches[1].pop()), rounds),
        )
    for client in clients:
        client.close()


def main(arguments: list[str]) -> None:
    if not is_installed():
        subprocess.run([str(HERE.parent / "scripts/peers"), "dovecot-imapd"], check=True)
    quick = "--quick" in arguments
    wanted = arguments[arguments.index("--only") + 1 :] if "--only" in arguments else [*LINES, "login"]
    rounds, messages = (3, QUICK_MESSAGES) if quick else (ROUNDS, MESSAGES)
    names = ["alice", *(f"user{number}" for number in range(rounds * LOGINS if "login" in wanted else 0))]
    with ThreadPoolExecutor(2) as pool:
        users = list(zip(names, pool.map(hash_password, [PASSWORD.encode()] * len(names)), strict=True))
    rows = []
    with prepared(users) as dovecot:
        filling = threading.Thread(target=fill, args=(dovecot, names[0], messages))
        filling.start()
        with our_host(users, messages) as port:
            filling.join()
            with running(dovecot):
                for name, ours, theirs in lines((port, dovecot.port), wanted, names, rounds):
                    ratio = theirs / ours
                    print(f"{name:28} {ours:9.4f} s  Dovecot {theirs:9.4f} s  {ratio:6.2f}x", flush=True)
                    rows.append({"name": name, "ours_s": ours, "dovecot_s": theirs, "ratio": round(ratio, 2)})
    if "--json" in arguments:
        print(json.dumps({"lines": rows}))


if __name__ == "__main__":
    main(sys.argv[1:])
