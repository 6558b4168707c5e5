"""How fast queued mail is sent on, beside Postfix in the same run: `--quick`, `--json`.

Law: on both sides every message is durable in the queue before the clock starts, and the clock stops when the sink has
taken all of it and the queue is empty on disk. The sink is Postfix's own; both send over at most 20 connections.
`--side FOLDER MESSAGES RECIPIENTS PORT` is our sender, in a process of its own as a host runs it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop
from local_port import free_port
from postfix import Postfix, is_installed, postfix

import store.bodies
from mail.envelope import Arrival, Recipient
from mail.outcome import Delivered, Outcome
from spool import tables
from spool.queue import Queue
from spool.route import Route, Via
from spool.runner import Runner, Settings
from store import Bodies, Store, Transaction

HERE = Path(__file__).parent
MESSAGE_OCTETS = 2048
CONNECTIONS = 20
SECONDS_MAX = 120.0

SENDING = {
    "default_destination_concurrency_limit": str(CONNECTIONS),
    "default_destination_recipient_limit": "1000",
    "initial_destination_concurrency": str(CONNECTIONS),
    "default_process_limit": "200",
    "smtp_connection_cache_on_demand": "yes",
    "in_flow_delay": "0",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison, in recipients a second."""

    name: str
    ours: float
    postfix: float

    @property
    def ratio(self) -> float:
        return self.ours / self.postfix


@dataclass(frozen=True, slots=True)
class Load:
    messages: int
    recipients: int  # of each message: one transaction

    @property
    def total(self) -> int:
        return self.messages * self.recipients


@contextmanager
def sink() -> Iterator[int]:
    """Postfix's smtp-sink; it forgets what it takes."""
    port = free_port()
    with subprocess.Popen(["smtp-sink", "-u", "nobody", f"127.0.0.1:{port}", "1000"]) as process:
        try:
            _await(port)
            yield port
        finally:
            process.kill()


def _await(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise TimeoutError("no sink")


def ours(load: Load, port: int) -> float:
    """Queue, then send; return recipients a second."""
    folder = tempfile.mkdtemp(prefix="heliograph-bench-")
    arguments = [folder, str(load.messages), str(load.recipients), str(port)]
    command = [sys.executable, str(Path(__file__)), "--side", *arguments]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return load.total / float(done.stdout.split()[-1])


def theirs(instance: Postfix, load: Load) -> float:
    """Let a private Postfix take it in on hold, release it, and wait until its queue is empty."""
    command = ["smtp-source", "-d", "-s", str(CONNECTIONS), "-l", str(MESSAGE_OCTETS), "-m", str(load.messages)]
    addresses = ["-r", str(load.recipients), "-f", "sender@peer.test", "-t", "u@sink.test"]
    subprocess.run([*command, *addresses, f"127.0.0.1:{instance.port}"], check=True)
    while instance.queued("hold") < load.messages:
        time.sleep(0.05)
    started = time.perf_counter()
    instance.command("postsuper", "-H", "ALL")  # into the deferred queue
    instance.command("postqueue", "-f")
    while not _is_empty(instance):
        time.sleep(0.02)
        if time.perf_counter() - started > SECONDS_MAX:
            raise TimeoutError("Postfix has not sent everything")
    return load.total / (time.perf_counter() - started)


def _is_empty(instance: Postfix) -> bool:
    """Look no further than the first file found: looking must not cost what is measured."""
    queues = [instance.folder / "queue" / name for name in ("hold", "deferred", "incoming", "active")]
    return not any(files for queue in queues for _, _, files in os.walk(queue))


class BenchFabric:
    """Everything goes to the sink, as to a host of the fabric."""

    def __init__(self, port: int) -> None:
        self._port = port

    def route(self, recipient: str) -> Route:
        return Via("sink", "127.0.0.1", self._port, recipient)

    def receive(self, tx: Transaction, arrival: Arrival, recipient: str) -> Outcome:
        return Delivered()

    def prove(self, nonce: str, server: str) -> tuple[str, str] | None:
        return None


async def send(folder: Path, load: Load, port: int) -> float:
    """Our side: everything durable in the queue, then the runner; return the seconds it took."""
    store_ = Store(folder / "heliograph.db", [store.bodies.MIGRATION, *tables.MIGRATIONS])
    queue = Queue()
    now = time.time()

    def put(tx: Transaction, number: int) -> None:
        text = (b"y" * 76 + b"\r\n") * (MESSAGE_OCTETS // 78)
        content = b"Subject: bench %d\r\n\r\n" % number + text
        recipients = [Recipient(f"{n}u@sink.test") for n in range(load.recipients)]
        queue.put(
            tx,
            sender="sender@peer.test",
            recipients=recipients,
            body=Bodies.keep(tx, content),
            envid=hashlib.sha256(content).hexdigest(),
            accepted_at=now,
            now=now,
        )

    await asyncio.gather(
        *(store_.write(lambda tx, number=number: put(tx, number)) for number in range(load.messages))  # type: ignore[misc]
    )
    runner = Runner(store_, queue, BenchFabric(port), Settings("host-1", "host-1.fabric.test"))
    started = time.perf_counter()
    await runner.start()
    while store_.reader.one("SELECT 1 FROM queue_message LIMIT 1"):  # noqa: ASYNC110 - as an onlooker
        await asyncio.sleep(0.005)
    seconds = time.perf_counter() - started
    await runner.stop()
    store_.close()
    return seconds


def lines(quick: bool) -> Iterator[Line]:
    """Measure what is sent on; the sides take turns, the best of a few rounds counts."""
    scale, rounds = (1, 2) if quick else (3, 3)
    with postfix() as taking, sink() as port:
        (taking.folder / "etc/main.cf").open("a").write(
            "".join(f"{name} = {value}\n" for name, value in {**SENDING, "relayhost": f"[127.0.0.1]:{port}"}.items())
        )
        taking.command("postfix", "reload")
        time.sleep(1)
        for name, load in (("send-1", Load(2000 * scale, 1)), ("send-100", Load(200 * scale, 100))):
            pairs = [(ours(load, port), theirs(taking, load)) for _ in range(rounds)]
            yield Line(name, max(pair[0] for pair in pairs), max(pair[1] for pair in pairs))


def main(arguments: list[str]) -> None:
    if not is_installed():
        subprocess.run([str(HERE.parent / "scripts/peers")], check=True)
    found = []
    for line in lines("--quick" in arguments):
        found.append(line)
        print(f"{line.name:28} {line.ours:10,.0f}/s  Postfix {line.postfix:10,.0f}/s  {line.ratio:6.2f}x", flush=True)
    if "--json" in arguments:
        rows = [
            {"name": f.name, "ours": round(f.ours, 1), "postfix": round(f.postfix, 1), "ratio": round(f.ratio, 2)}
            for f in found
        ]
        print(json.dumps({"lines": rows}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        place, messages, recipients, port = sys.argv[2:]
        print(uvloop.run(send(Path(place), Load(int(messages), int(recipients)), int(port))))
    else:
        main(sys.argv[1:])
