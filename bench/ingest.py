"""How fast feeds are polled over TLS, beside a bare asyncio client that asks the same: `--quick`, `--json`.

Law: both sides make a fresh TLS connection for each request, to the same server, with as many at once, in turns; the
best of a few rounds counts. What is polled is stored durably, posts are queued: nothing is left out that a host does.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))  # else `ingest` would be this very file
from ingest_site import document

from directory.names import FabricNames
from directory.snapshot import Directory, HostRecord
from ingest import worker
from ingest.identity import judge
from ingest.items import Listing, reading_of
from ingest.poller import Poller
from ingest.room import IngestRoom
from ingest.seen import pack
from ingest.settings import Settings
from ingest.tables import MIGRATIONS as INGEST
from mail.envelope import Outgoing
from spool.queue import Queue
from spool.tables import MIGRATIONS as SPOOL
from store import Bodies, Store, Transaction, bodies

HERE = Path(__file__).parent
AT_ONCE = 64
ROUNDS = 3
FOUR = 4  # new items a poll, as from a feed that is polled less often than it is written
NAMES = FabricNames("bench.test", 4096)
AWAKE = 10_000  # host names
DAY = 86_400


@contextlib.contextmanager
def web_site(folder: Path) -> Iterator[int]:
    """Run bench/ingest_site.py; give its port. Its certificate is trusted from here on, in this process."""
    files = {name: str(folder / name) for name in ("key.pem", "certificate.pem", "both.pem")}
    command = "openssl req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=bench"
    more = ["-addext", "subjectAltName=DNS:*.co.uk", "-keyout", files["key.pem"], "-out", files["certificate.pem"]]
    subprocess.run([*command.split(), *more], check=True, capture_output=True)
    Path(files["both.pem"]).write_bytes(b"".join(Path(files[n]).read_bytes() for n in ("key.pem", "certificate.pem")))
    os.environ["SSL_CERT_FILE"] = files["certificate.pem"]
    site = [sys.executable, str(HERE / "ingest_site.py"), files["both.pem"]]
    with subprocess.Popen(site, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdin
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(10)


def lookup(host: str, port: int) -> list[tuple[object, ...]]:
    return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]


class Bench:
    """One host's ingest over a database of its own."""

    def __init__(self, path: Path, port: int) -> None:
        record = {"host-1": HostRecord("host-1", "127.0.0.1", None)}
        owners = ("host-1",) * NAMES.buckets
        zone = Directory(NAMES, 1, record, owners, owners)
        self.port, self.queue = port, Queue()
        self.store = Store(path, [bodies.MIGRATION, *SPOOL, *INGEST])
        settings = Settings(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),), fetches_max=AT_ONCE)
        room = IngestRoom("host-1", lambda: zone, settings)
        self.poller = Poller(self.store, self._spool, room, lookup=lookup)

    def _spool(self, tx: Transaction, outgoing: Outgoing) -> None:
        now, content = time.time(), outgoing.content
        envid = hashlib.sha256(content).hexdigest()
        body = Bodies.keep(tx, content)
        to = outgoing.recipients
        self.queue.put(tx, sender=outgoing.sender, recipients=to, body=body, envid=envid, accepted_at=now, now=now)

    def seed(self, first: int, count: int, path: str, *, due: float) -> None:
        """Add feeds that have seen everything that /new/0 lists."""
        told, _ = worker.read(document(100), "https://h.co.uk/", "")
        listing = reading_of(told)
        assert isinstance(listing, Listing)
        today = int(time.time() // DAY)
        marks = judge(listing.items, (), day=today, last_post_at=0.0, backlog=3).mark  # type: ignore[arg-type]
        seen, names = pack(marks), range(first, first + count)
        when, now = b"Sun, 01 Oct 2023 10:00:00 GMT", time.time()
        rest = (when, bytes(16), now - 90 * DAY, due, now - DAY, DAY + 0.5, now)
        feeds = [(n, f"https://h{n}.co.uk:{self.port}{path}", f"h{n}.co.uk", n % 4096, f"a-blog-{n}") for n in names]
        columns = (
            "id, url, domain, bucket, source, title, etag, modified, digest, created_at, next_due, last_post_at, gap, "
            "counted_at"  # a week's question how many follow is not measured here
        )
        values = "?, ?, ?, ?, ?, 'Lamps', x'223122', ?, ?, ?, ?, ?, ?, ?"

        def work(tx: Transaction) -> None:
            tx.executemany(f"INSERT INTO feed ({columns}) VALUES ({values})", [(*feed, *rest) for feed in feeds])
            tx.executemany("INSERT INTO feed_seen VALUES (?, ?)", [(n, seen) for n in names])

        self.store.write_now(work)

    async def polled(self, count: int, path: str) -> float:
        """Let so many feeds come due at once; return polls a second."""
        began = time.time()
        sql = f"UPDATE feed SET next_due = ?, url = 'https://h' || id || '.co.uk:{self.port}{path}' WHERE id <= ?"
        await self.store.write(lambda tx: tx.execute(sql, (began - 1, count)))
        started = time.perf_counter()
        self.poller.wake()
        left = "SELECT EXISTS (SELECT 1 FROM feed WHERE id <= ? AND last_at < ?)"
        while self._count(left, count, began):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        seconds = time.perf_counter() - started
        assert not self._count("SELECT count(*) FROM feed WHERE errors > 0"), self.store.reader.all(
            "SELECT last_answer FROM feed WHERE errors > 0 LIMIT 3"
        )
        return count / seconds

    def _count(self, sql: str, *values: float) -> int:
        row = self.store.reader.one(sql, values)
        assert row
        return int(row[0])


async def bare(port: int, count: int) -> float:
    """The same requests, of a client that does nothing else; requests a second."""
    context = ssl.create_default_context()
    numbers = iter(range(1, count + 1))

    async def client() -> None:
        for n in numbers:
            name = f"h{n}.co.uk"
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
            writer.write(f'GET /304 HTTP/1.1\r\nHost: {name}:{port}\r\nIf-None-Match: "1"\r\n\r\n'.encode())
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 304")
            writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    return count / (time.perf_counter() - started)


async def measure(folder: Path, *, quick: bool) -> dict[str, float]:
    polls, new, many = (600, 200, 100_000) if quick else (6_000, 1_000, 100_000)
    with web_site(folder) as port:
        host = Bench(folder / "bench.db", port)
        host.seed(1, AWAKE, "/304", due=time.time() + DAY)
        await host.poller.start()
        best = raw = fresh = fours = 0.0
        for turn in range(1, ROUNDS + 1):
            raw = max(raw, await bare(port, polls))
            best = max(best, await host.polled(polls, "/304"))
            fresh = max(fresh, await host.polled(new, f"/new/{turn * (1 + FOUR) - FOUR}"))
            fours = max(fours, FOUR * await host.polled(new, f"/new/{turn * (1 + FOUR)}"))
        posts = host._count("SELECT count(*) FROM queue_message")
        assert posts == ROUNDS * new * (1 + FOUR), f"{posts} posts of {ROUNDS * new * (1 + FOUR)} new items"
        await asyncio.to_thread(host.seed, AWAKE + 1, many - AWAKE, "/304", due=time.time() + DAY)
        await host.polled(polls, "/304")
        found = {
            "tls_polls_per_s": best,
            "raw_tls_per_s": raw,
            "ratio": best / raw,
            "new_items_per_s": fresh,
            "new_items_in_fours_per_s": fours,
        }
        await host.poller.stop()
        found |= {"rss_mb": rss_octets() / 1e6, "state_bytes_per_feed": state_octets(host.store) / many}
        host.store.close()
    return found


def rss_octets() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def state_octets(store: Store) -> int:
    """Pages of the feeds' tables and indexes, full or not."""
    names = "SELECT name FROM sqlite_master WHERE tbl_name IN ('feed', 'feed_seen')"
    row = store.reader.one(f"SELECT sum(pgsize) FROM dbstat WHERE name IN ({names})")
    assert row
    return int(row[0])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = uvloop.run(measure(Path(folder), quick="--quick" in sys.argv))
    if "--json" in sys.argv:
        print(json.dumps({name: round(value, 3) for name, value in found.items()}))
        return
    for name, value in found.items():
        print(f"{name:<26}{value:>12,.2f}")


if __name__ == "__main__":
    main()
