"""One post to 10,000 foreign mailboxes at 100 domains, stamped and signed, beside Postfix in the same run.

Law: on both sides the post is durable in the queue, a row per recipient, before the clock starts; the clock stops when
the sink has taken all copies and the queue is empty on disk. Every copy has its own return path, so it is a transaction
of its own on both sides (Postfix's by VERP). Ours has its own one-click link too, and is signed by RSA and by Ed25519;
Postfix signs nothing. `--quick`: 2,000 copies, one round. `--footer`: ours have a footer in which each names its own
way out. `--json`: {"messages_per_s", "postfix_messages_per_s", "ratio"}. `--side FOLDER COPIES PORT FOOTER` is our
sender, in a process of its own as a host runs it; it tells the seconds it took, and those of the processor.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import smtplib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop
from local_port import free_port
from postfix import Postfix, is_installed, postfix
from smtp_send import _await, _is_empty

import store.bodies
from directory.names import FabricNames
from directory.snapshot import Directory
from heliograph.outside.postmark import Postmark
from heliograph.outside.seals import make_seals
from mail.address import parse_address
from mail.envelope import Arrival, Recipient
from mail.outcome import Delivered, Outcome
from mail.sealing import seal_key
from reflector.list_headers import stamp_post
from reflector.sources import Source
from reflector.tokens import bounce_token
from spool import tables
from spool.queue import Queue
from spool.route import Abroad, Route
from spool.runner import Runner, Settings
from store import Bodies, Store, Transaction

COPIES, COPIES_QUICK, DOMAINS = 10_000, 2_000, 100
OCTETS = 2_048
SECONDS_MAX = 300.0
FOOTER = "You get this because you follow Bob.\nTo leave: %unsubscribe%"
NAMES = FabricNames("fabric.test", 4_096)
BOB = Source("bob", "bob", "Bob", 0, 7, 1, COPIES, 0)

# Postfix's own limits, but for connections (ours: 20 to a domain, 200 in all) and its pause for incoming mail.
SENDING = {
    "smtpd_data_restrictions": "check_sender_access static:HOLD",
    "smtpd_recipient_limit": str(COPIES),
    "smtpd_authorized_verp_clients": "127.0.0.0/8",
    "default_process_limit": "200",
    "smtp_connection_cache_on_demand": "yes",
    "in_flow_delay": "0",
    "qmgr_message_recipient_limit": "20000",
}


def address(number: int) -> str:
    return f"reader-{number}@d{number % DOMAINS}.test"


def place(domain: str, port: int) -> str:
    """Each domain's host: an address of its own on the loopback, at the one sink."""
    return f"127.0.1.{int(domain[1:].partition('.')[0]) + 1}:{port}"


def post(footer: str = "") -> bytes:
    """A post as the reflector hands it over."""
    text = "".join(f"line {number:4} of what Bob has to say today\r\n" for number in range(OCTETS // 45))
    head = "From: Bob <bob@fabric.test>\r\nTo: bob@reflectors.fabric.test\r\nSubject: News\r\nMIME-Version: 1.0\r\n"
    content = f"{head}\r\n{text}".encode()
    return stamp_post(NAMES, BOB, 7, content, envid="e" * 64, now=time.time(), hops=0, footer=footer)


@contextmanager
def sink() -> Iterator[int]:
    """Postfix's smtp-sink at every address of this machine; it forgets what it takes."""
    port = free_port()
    with subprocess.Popen(["smtp-sink", "-u", "nobody", f":{port}", "1000"]) as process:
        try:
            _await(port)
            yield port
        finally:
            process.kill()


class Outside:
    """Everything goes abroad."""

    def __init__(self, port: int) -> None:
        self._port = port

    def route(self, recipient: str) -> Route:
        domain = parse_address(recipient).domain
        return Abroad(domain, place(domain, self._port))

    def receive(self, tx: Transaction, arrival: Arrival, recipient: str) -> Outcome:
        return Delivered()

    def prove(self, nonce: str, server: str) -> tuple[str, str] | None:
        return None


def postmark() -> Postmark:
    keys = tuple(seal_key(seal.selector, seal.key) for seal in make_seals("host-1"))
    zone = Directory(NAMES, 1, {}, (), ())
    return Postmark(lambda: zone, lambda: keys, "https://mail.fabric.test")


async def send(folder: Path, copies: int, port: int, footer: str) -> tuple[float, float]:
    """Our side: everything durable in the queue, then the runner; return the seconds it took, and the processor's."""
    store_ = Store(folder / "heliograph.db", [store.bodies.MIGRATION, *tables.MIGRATIONS])
    queue, content, now = Queue(), post(footer), time.time()
    to = [
        Recipient(address(n), f"bob+bounce.{bounce_token(b'k' * 32, 'bob', address(n), 1)}@reflectors.fabric.test")
        for n in range(copies)
    ]
    await store_.write(
        lambda tx: queue.put(
            tx,
            sender=NAMES.reflector_inside("bob", "bounce"),
            recipients=to,
            body=Bodies.keep(tx, content),
            envid=hashlib.sha256(content).hexdigest(),
            signed_by="host-1",
            accepted_at=now,
            now=now,
        )
    )
    settings = Settings("host-1", "host-1.fabric.test")
    runner = Runner(store_, queue, Outside(port), settings, stamp=postmark())
    started, worked = time.perf_counter(), time.process_time()
    await runner.start()
    while store_.reader.one("SELECT 1 FROM queue_message LIMIT 1"):  # noqa: ASYNC110 - as an onlooker
        await asyncio.sleep(0.005)
    seconds, work = time.perf_counter() - started, time.process_time() - worked
    await runner.stop()
    store_.close()
    return seconds, work


def ours(copies: int, port: int, footer: str) -> float:
    """Return messages a second."""
    folder = tempfile.mkdtemp(prefix="heliograph-bench-")
    command = [sys.executable, str(Path(__file__)), "--side", folder, str(copies), str(port), footer]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return copies / float(done.stdout.split()[0])


def theirs(instance: Postfix, copies: int) -> float:
    """The same through a private Postfix: taken in on hold, released, and waited for."""
    with smtplib.SMTP("127.0.0.1", instance.port, local_hostname="bench.test") as client:
        client.ehlo()
        said, text = client.docmd("MAIL", "FROM:<bob@reflectors.fabric.test> XVERP=+=")
        assert said == 250, text
        for start in range(0, copies, 500):
            lot = [address(n) for n in range(start, min(start + 500, copies))]
            client.send("".join(f"RCPT TO:<{to}>\r\n" for to in lot))
            assert all(client.getreply()[0] == 250 for _ in lot)
        said, text = client.data(post())
        assert said == 250, text
    while not instance.queued("hold"):
        time.sleep(0.05)
    started = time.perf_counter()
    instance.command("postsuper", "-H", "ALL")
    instance.command("postqueue", "-f")
    while not _is_empty(instance):
        time.sleep(0.02)
        if time.perf_counter() - started > SECONDS_MAX:
            raise TimeoutError("Postfix has not sent everything")
    return copies / (time.perf_counter() - started)


def measure(quick: bool, footer: str) -> tuple[float, float]:
    """The sides take turns; the best of a few rounds counts."""
    copies, rounds = (COPIES_QUICK, 1) if quick else (COPIES, 2)
    with postfix(SENDING) as instance, sink() as port:
        lines = "".join(f"d{n}.test smtp:[127.0.1.{n + 1}]:{port}\n" for n in range(DOMAINS))
        (instance.folder / "etc/transport").write_text(lines)
        instance.command("postmap", f"hash:{instance.folder}/etc/transport")
        with (instance.folder / "etc/main.cf").open("a") as main_cf:
            main_cf.write(f"transport_maps = hash:{instance.folder}/etc/transport\n")
        instance.command("postfix", "reload")
        time.sleep(1)
        pairs = [(ours(copies, port, footer), theirs(instance, copies)) for _ in range(rounds)]
    return max(pair[0] for pair in pairs), max(pair[1] for pair in pairs)


def main(arguments: list[str]) -> None:
    if not is_installed():
        subprocess.run([str(Path(__file__).parent.parent / "scripts/peers")], check=True)
    mine, peer = measure("--quick" in arguments, FOOTER if "--footer" in arguments else "")
    print(
        f"outside  {mine:10,.0f}/s, signed twice   Postfix {peer:10,.0f}/s, unsigned  {mine / peer:6.2f}x", flush=True
    )
    if "--json" in arguments:
        found = {"messages_per_s": round(mine, 1), "postfix_messages_per_s": round(peer, 1)}
        print(json.dumps(found | {"ratio": round(mine / peer, 2)}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        folder, copies, port, footer = sys.argv[2:]
        print(*uvloop.run(send(Path(folder), int(copies), int(port), footer)))
    else:
        main(sys.argv[1:])
