"""From a post's 250 to its announcement (EXISTS) to a follower in IDLE on another host: `--quick`, `--json`.

Law: three hosts as processes on this machine, each with a database of its own on this disk; every post takes turns with
the raw floor, which is what no mail system could save on the same way: FLUSHES times appending 4 KB to a file and fsync
(the reflector's step, the other host's acceptance, its step, the new UID), and ROUND_TRIPS of loopback TCP (the SMTP
transaction between the hosts, with pipelining).
"""

from __future__ import annotations

import json
import os
import smtplib
import socket
import sqlite3
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from email.policy import SMTP
from itertools import pairwise
from pathlib import Path

from heliograph.demo.people import Idler, Person, letter
from heliograph.demo.stage import Stage, stage

POSTS, POSTS_QUICK = 400, 60
COLD_POSTS, COLD_POSTS_QUICK = 12, 3
PAUSE_SECONDS = 0.03  # between a post's announcement and the next post: one at a time, on an idle fabric
COLD_SECONDS = 11.0  # hosts hang up after 10 (`spool/runner_settings.py`): the next post pays for TLS and proof
MEDIAN_MS_MAX = 100.0
FLUSHES, ROUND_TRIPS = 4, 2
WARMING = 5  # posts before the first that counts: they open connections and fill caches
PEOPLE = ("bob", "heidi")  # bob and his reflector live on host-3, heidi on host-2
STEPS = ("250 -> reflector's step", "-> accepted by the other host", "-> filed there", "-> announced in IDLE")


@dataclass(slots=True)
class Line:
    """One way for posts to go, and what each took, in milliseconds."""

    name: str
    ours: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    steps: list[tuple[float, ...]] = field(default_factory=list)

    def figures(self) -> dict[str, object]:
        floor = statistics.median(self.floor)
        return {
            "name": self.name,
            "posts": len(self.ours),
            "median_ms": round(statistics.median(self.ours), 2),
            "p95_ms": round(percentile(self.ours, 0.95), 2),
            "max_ms": round(max(self.ours), 2),
            "floor_median_ms": round(floor, 2),
            "floor_p95_ms": round(percentile(self.floor, 0.95), 2),
            "ratio": round(statistics.median(self.ours) / floor, 1),
            "steps_median_ms": {
                name: round(statistics.median(times), 2)
                for name, times in zip(STEPS, zip(*self.steps, strict=True), strict=True)
            },
        }


class Listener:
    """A follower in IDLE; remembers when each EXISTS came."""

    def __init__(self, person: Person, scenery: ExitStack) -> None:
        client = scenery.enter_context(person.mailbox())
        scenery.callback(client.sock.shutdown, socket.SHUT_RDWR)  # it is in IDLE for ever: there is no LOGOUT
        self._idler = Idler(client)
        self._heard = threading.Semaphore(0)
        self.at = self.at_clock = 0.0
        threading.Thread(target=self._listen, daemon=True).start()

    def wait(self) -> None:
        if not self._heard.acquire(timeout=20):
            raise SystemExit("a post was not announced within 20 seconds")

    def _listen(self) -> None:
        with suppress(OSError, ValueError):  # the socket was shut
            while self._idler.wait(3600):
                self.at, self.at_clock = time.perf_counter(), time.time()
                self._heard.release()


class Floor:
    """Round trips over loopback to a thread that echoes, and flushes of a file beside the databases."""

    def __init__(self, folder: Path) -> None:
        server = socket.create_server(("127.0.0.1", 0))
        self._socket = socket.create_connection(server.getsockname())
        self._peer, _ = server.accept()
        server.close()
        for end in (self._socket, self._peer):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = os.open(folder / "floor", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        threading.Thread(target=self._echo, daemon=True).start()

    def measure(self) -> float:
        began = time.perf_counter()
        for _ in range(ROUND_TRIPS):
            self._socket.sendall(b"x" * 64)
            self._socket.recv(64, socket.MSG_WAITALL)
        for _ in range(FLUSHES):
            os.write(self._file, bytes(4096))
            os.fsync(self._file)
        return (time.perf_counter() - began) * 1e3

    def _echo(self) -> None:
        while octets := self._peer.recv(64):
            self._peer.sendall(octets)


@contextmanager
def fabric() -> Iterator[Stage]:
    with stage(hosts=3) as here:
        here.add_people(*PEOPLE)
        here.start()
        bob = f"bob+subscribe@reflectors.{here.config.domain}"
        Person(here, "heidi").send(bob, "")
        if not Person(here, "heidi").wait_for(lambda found: "You follow" in found.subject):
            raise SystemExit(f"heidi could not follow bob\n{here.log()[-2000:]}")
        yield here


def measure(here: Stage, line: Line, posts: int, *, bob_at: int, heidi_at: int, pause: float = PAUSE_SECONDS) -> None:
    """Post, wait for the announcement, measure the floor; again and again."""
    bob, heidi, floor = Person(here, "bob", bob_at), Person(here, "heidi", heidi_at), Floor(here.root)
    to = f"bob@reflectors.{here.config.domain}"
    with ExitStack() as scenery:
        listener = Listener(heidi, scenery)
        client = scenery.enter_context(bob.submission())
        for number in range(-WARMING, posts):
            time.sleep(pause if number >= 0 else 0)
            content = letter(bob.address, to, f"post {line.name} {number}", "Fog. " * 200, here.config.domain).as_bytes(
                policy=SMTP
            )
            said, said_clock = submit(client, bob.address, to, content)
            listener.wait()
            beneath = floor.measure()
            if number >= 0:
                line.ours.append((listener.at - said) * 1e3)
                line.floor.append(beneath)
                line.steps.append(steps(here, said_clock, listener.at_clock))


def submit(client: smtplib.SMTP, sender: str, to: str, content: bytes) -> tuple[float, float]:
    """One transaction; return when its 250 was read."""
    client.sendmail(sender, [to], content)
    return time.perf_counter(), time.time()


def steps(here: Stage, said: float, announced: float) -> tuple[float, ...]:
    """When the last post was where, by the events of the two hosts: milliseconds from one step to the next."""
    expanded = last_event(here, "host-3", "expanded")
    accepted, filed = last_event(here, "host-2", "accepted"), last_event(here, "host-2", "filed")
    moments = (said, expanded, accepted, filed, announced)
    return tuple((after - before) * 1e3 for before, after in pairwise(moments))


def last_event(here: Stage, host: str, kind: str) -> float:
    path = here.config.host_folder(host) / "heliograph.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        (at,) = database.execute("SELECT at FROM event WHERE kind = ? ORDER BY seq DESC LIMIT 1", (kind,)).fetchone()
        return float(at)


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def main() -> int:
    quick = "--quick" in sys.argv
    posts, cold = (POSTS_QUICK, COLD_POSTS_QUICK) if quick else (POSTS, COLD_POSTS)
    lines = [
        Line("own hosts: submitted at host-3, IDLE at host-2"),
        Line("any host: submitted and IDLE at host-1"),
        Line(f"own hosts, after {COLD_SECONDS:.0f} s of silence"),
    ]
    with fabric() as here:
        measure(here, lines[0], posts, bob_at=3, heidi_at=2)
        measure(here, lines[1], posts, bob_at=1, heidi_at=1)
        measure(here, lines[2], cold, bob_at=3, heidi_at=2, pause=COLD_SECONDS)
    print(f"floor: {FLUSHES} x (append 4 KB, fsync) on the databases' disk + {ROUND_TRIPS} round trips of loopback TCP")
    for line in lines:
        told = line.figures()
        ours = f"median {told['median_ms']} ms, p95 {told['p95_ms']} ms, max {told['max_ms']} ms"
        print(f"{line.name}: {told['posts']} posts: {ours}")
        print(f"  floor: median {told['floor_median_ms']} ms, p95 {told['floor_p95_ms']} ms; {told['ratio']} times it")
        print(f"  where it goes, medians in ms: {told['steps_median_ms']}")
    if "--json" in sys.argv:
        print(json.dumps({"lines": [line.figures() for line in lines]}))
    return int(any(statistics.median(line.ours) > MEDIAN_MS_MAX for line in lines))


if __name__ == "__main__":
    sys.exit(main())
