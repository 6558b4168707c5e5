"""Thousands of TLS sessions in IDLE on one host, and a post that all of them follow: `--quick`, `--json`.

Law: the host is the real one, in a process of its own; every session has an account of its own, came in by TLS and
LOGIN, and has INBOX selected. What a session costs is the growth of the host's resident memory; an announcement counts
when the client has read its EXISTS. The sessions' one shared password hash spares their logins' hashing, nothing else.
"""

from __future__ import annotations

import json
import resource
import select
import socket
import ssl
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.policy import SMTP
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # else `ingest` would be bench/ingest.py
from heliograph.demo.people import Person, letter
from heliograph.demo.stage import PASSWORD, Stage, stage
from heliograph.tables import MIGRATIONS
from mail.control import Welcome
from mailbox_host import accounts, timeline
from mailbox_host.passwords import hash_password
from store import Store, Transaction

SESSIONS, SESSIONS_QUICK = 5_000, 500
POSTS = 5
SETTLED_AT_ONCE = 5_000
WAIT_SECONDS_MAX = 60.0
SESSION_KB_MAX = 50.0
ANNOUNCED_SECONDS_MAX = 1.0
SPARE_FILES = 200


class Idler:
    """A client in IDLE."""

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext, name: str) -> None:
        plain = socket.create_connection(address, timeout=WAIT_SECONDS_MAX)
        self.socket = context.wrap_socket(plain)
        self._until(b"* OK")
        self._say(f'a LOGIN {name} "{PASSWORD}"', b"a OK")
        self._say("b SELECT INBOX", b"b OK")
        self._say("c IDLE", b"+ ")
        self.socket.setblocking(False)

    def heard(self) -> bool:
        """Tell whether what can be read now announces a message."""
        try:
            return b"EXISTS" in self.socket.recv(65_536)
        except (ssl.SSLWantReadError, BlockingIOError):
            return False

    def _say(self, command: str, wanted: bytes) -> None:
        self.socket.sendall(f"{command}\r\n".encode())
        self._until(wanted)

    def _until(self, wanted: bytes) -> None:
        text = b""
        while wanted not in text:
            more = self.socket.recv(65_536)
            if not more:
                raise ConnectionError(text)
            text += more


@contextmanager
def host_with(readers: list[str]) -> Iterator[Stage]:
    """A host where bob posts and everybody else follows him."""
    with stage(hosts=1) as here:
        here.add_people("bob", "heidi")
        settle(here, readers)
        here.start()
        heidi = Person(here, "heidi")
        heidi.send(f"bob+subscribe@reflectors.{here.config.domain}", "")
        if not heidi.wait_for(lambda found: "You follow" in found.subject):
            raise SystemExit(f"heidi could not follow bob\n{here.log()[-2000:]}")
        yield here


def settle(here: Stage, readers: list[str]) -> None:
    """Make the accounts and their follows, as years of subscriptions would have left them."""
    hashed, now = hash_password(PASSWORD.encode()), time.time()
    database = Store(here.config.host_folder("host-1") / "heliograph.db", MIGRATIONS)

    def work(tx: Transaction, names: list[str]) -> None:
        accounts.add_many(tx, [(name, hashed) for name in names], now)
        for name in names:
            timeline.welcome(tx, name, Welcome("bob", 1, 1), now)

    for start in range(0, len(readers), SETTLED_AT_ONCE):
        database.write_now(lambda tx, some=readers[start : start + SETTLED_AT_ONCE]: work(tx, some))
    database.close()


def host_pid(here: Stage) -> int:
    return int((here.config.host_folder("host-1") / "lock").read_text())


def resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100  # USER_HZ


def come_in(here: Stage, readers: list[str]) -> list[Idler]:
    """All of them, four at a time."""
    context = ssl.create_default_context(cafile=str(here.config.tls.ca))
    context.check_hostname = False
    address = here.address(1), here.config.ports.imaps
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda name: Idler(address, context, name), readers))


def announce(here: Stage, idlers: list[Idler], number: int) -> list[float]:
    """Post; return the seconds from its 250 to each session's announcement, in order."""
    bob, to = Person(here, "bob"), f"bob@reflectors.{here.config.domain}"
    content = letter(bob.address, to, f"post {number}", "Fog. " * 200, here.config.domain).as_bytes(policy=SMTP)
    with bob.submission() as client, select.epoll() as poll:
        waiting = {idler.socket.fileno(): idler for idler in idlers}
        for fileno in waiting:
            poll.register(fileno, select.EPOLLIN)
        client.sendmail(bob.address, [to], content)
        began, moments = time.perf_counter(), []
        while waiting:
            ready = poll.poll(WAIT_SECONDS_MAX)
            if not ready:
                raise SystemExit(f"{len(waiting)} sessions heard nothing in {WAIT_SECONDS_MAX:.0f} s")
            for fileno, _ in ready:
                if waiting[fileno].heard():
                    moments.append(time.perf_counter() - began)
                    poll.unregister(fileno)
                    del waiting[fileno]
    return moments


def measure(sessions: int) -> dict[str, object]:
    readers = [f"reader{number}" for number in range(sessions)]
    with host_with(readers) as here:
        pid = host_pid(here)
        for warm in come_in(here, readers[:50]):  # what the first sessions fill is the host's own
            warm.socket.close()
        empty, began, spent = resident_kb(pid), time.perf_counter(), cpu_seconds(pid)
        idlers = come_in(here, readers)
        came, came_cpu = time.perf_counter() - began, cpu_seconds(pid) - spent
        full = resident_kb(pid)
        rounds, cpu = [], []
        for number in range(POSTS):
            time.sleep(1.0)
            spent = cpu_seconds(pid)
            rounds.append(announce(here, idlers, number))
            cpu.append(cpu_seconds(pid) - spent)
        after = resident_kb(pid)
        for idler in idlers:
            idler.socket.close()
    return {
        "sessions": sessions,
        "kb_per_session": round((full - empty) / sessions, 1),
        "kb_per_session_after_posts": round((after - empty) / sessions, 1),
        "sign_in_ms": round(came / sessions * 1e3, 2),
        "sign_in_cpu_ms": round(came_cpu / sessions * 1e3, 2),
        "first_s": round(statistics.median(moments[0] for moments in rounds), 3),
        "median_s": round(statistics.median(statistics.median(moments) for moments in rounds), 3),
        "last_s": round(statistics.median(moments[-1] for moments in rounds), 3),
        "last_worst_s": round(max(moments[-1] for moments in rounds), 3),
        "host_cpu_s": round(statistics.median(cpu), 3),
    }


def main() -> int:
    sessions = SESSIONS_QUICK if "--quick" in sys.argv else SESSIONS
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < sessions + SPARE_FILES:
        raise SystemExit(f"{sessions} sessions need as many open files; the limit here is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    told = measure(sessions)
    print(f"{sessions:,} TLS sessions in IDLE: {told['kb_per_session']} KB each, ", end="")
    print(f"{told['kb_per_session_after_posts']} KB after {POSTS} posts; {told['sign_in_ms']} ms to come in")
    print(f"from a post's 250 to its announcement: first {told['first_s']} s, median {told['median_s']} s, ", end="")
    print(f"last {told['last_s']} s (worst of {POSTS}: {told['last_worst_s']} s); host's CPU {told['host_cpu_s']} s")
    if "--json" in sys.argv:
        print(json.dumps(told))
    return int(
        float(str(told["kb_per_session"])) > SESSION_KB_MAX or float(str(told["last_s"])) > ANNOUNCED_SECONDS_MAX
    )


if __name__ == "__main__":
    sys.exit(main())
