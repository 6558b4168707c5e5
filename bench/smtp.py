"""How fast mail is taken in durably and sent on, beside Postfix in the same run: `--quick`, `--json`.

Law: both sides have the message on the same disk before 250, deliver nothing while they are measured, and take turns;
the best of a few rounds counts, for what disturbs a round is never the program.
"""

from __future__ import annotations

import itertools
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from postfix import is_installed, postfix
from smtp_send import Line
from smtp_send import lines as sending

from heliograph.demo.stage import stage

HERE = Path(__file__).parent
MESSAGE_OCTETS = 2048
PIPELINES = 4  # connections of the pipelining sender: enough for Postfix to use both cores


@contextmanager
def our_host() -> Iterator[str]:
    """Run bench/smtp_host.py on a fresh fabric of one host; give its "address:port"."""
    with stage(hosts=1) as here:
        command = [sys.executable, str(HERE / "smtp_host.py"), str(here.root)]
        log = (here.root / "log").open("w")
        with (
            log,
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True) as host,
        ):
            assert host.stdout and host.stdin
            try:
                yield host.stdout.readline().strip()
            finally:
                host.stdin.close()
                host.wait(30)


def with_smtp_source(target: str, *, connections: int, messages: int, recipients: int = 1) -> float:
    """Send with Postfix's own load generator, connections reused; return recipients a second."""
    options = ["-d", "-l", str(MESSAGE_OCTETS), "-f", "sender@peer.test", "-t", "u@fabric.test"]
    load = ["-s", str(connections), "-m", str(messages), "-r", str(recipients)]
    started = time.perf_counter()
    subprocess.run(["smtp-source", *options, *load, target], check=True)
    return messages * recipients / (time.perf_counter() - started)


def with_pipelining(target: str, *, transactions: int, recipients: int) -> float:
    """Send as RFC 2920 allows (smtp-source cannot), over a few connections; return recipients a second."""
    failures: list[BaseException] = []

    def work() -> None:
        try:
            _pipeline(target, transactions // PIPELINES, recipients)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(PIPELINES)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return transactions // PIPELINES * PIPELINES * recipients / (time.perf_counter() - started)


def _pipeline(target: str, transactions: int, recipients: int) -> None:
    rcpts = b"".join(b"RCPT TO:<%du@fabric.test>\r\n" % n for n in range(1, recipients + 1))
    commands = b"MAIL FROM:<sender@peer.test>\r\n" + rcpts + b"DATA\r\n"
    text = (
        b"Subject: bench %d\r\n\r\n"
        + b"x" * 76
        + b"\r\n" * 1
        + (b"y" * 76 + b"\r\n") * (MESSAGE_OCTETS // 78)
        + b".\r\n"
    )
    with socket.create_connection(_place(target)) as connection:
        _expect(connection, 1, b"220")
        connection.sendall(b"HELO bench.test\r\n")
        _expect(connection, 1, b"250")
        for n in range(transactions):
            connection.sendall(commands)
            _expect(connection, recipients + 2, b"354")
            connection.sendall(text % n)
            _expect(connection, 1, b"250")


def _place(target: str) -> tuple[str, int]:
    address, _, port = target.rpartition(":")
    return address, int(port)


def _expect(connection: socket.socket, lines: int, last: bytes) -> None:
    replies = b""
    while replies.count(b"\n") < lines:
        chunk = connection.recv(65_536)
        if not chunk:
            raise ConnectionError(replies[-200:])
        replies += chunk
    if not replies.splitlines()[-1].startswith(last) or replies.count(b"\n5"):
        raise ValueError(replies[-200:])


Load = Callable[[str], float]


def accept_lines(quick: bool) -> dict[str, Load]:
    """What is sent to both, by the line's name."""
    scale = 1 if quick else 4
    loads: dict[str, Load] = {
        "accept-1": lambda target: with_smtp_source(target, connections=1, messages=1000 * scale),
        "accept-20": lambda target: with_smtp_source(target, connections=20, messages=2000 * scale),
        "recipients-1000": lambda target: with_pipelining(target, transactions=16 * scale, recipients=1000),
    }
    if not quick:  # here smtp-source is what limits us
        loads["recipients-1000-unpipelined"] = lambda target: with_smtp_source(
            target, connections=5, messages=40, recipients=1000
        )
    return loads


def accept(quick: bool) -> Iterator[Line]:
    """Measure what is taken in."""
    rounds = 2 if quick else 4
    with our_host() as ours, postfix() as peer:
        theirs = f"127.0.0.1:{peer.port}"
        for name, load in accept_lines(quick).items():
            load(ours), load(theirs)  # both warm: processes started, caches filled
            pairs = [(load(ours), load(theirs)) for _ in range(rounds)]
            yield Line(name, max(pair[0] for pair in pairs), max(pair[1] for pair in pairs))


def main(arguments: list[str]) -> None:
    if not is_installed():
        subprocess.run([str(HERE.parent / "scripts/peers")], check=True)
    quick = "--quick" in arguments
    rows = []
    for line in itertools.chain(accept(quick), sending(quick)):
        print(f"{line.name:28} {line.ours:10,.0f}/s  Postfix {line.postfix:10,.0f}/s  {line.ratio:6.2f}x", flush=True)
        figures = {"ours": round(line.ours, 1), "postfix": round(line.postfix, 1), "ratio": round(line.ratio, 2)}
        rows.append({"name": line.name, **figures})
    if "--json" in arguments:
        print(json.dumps({"lines": rows}))


if __name__ == "__main__":
    main(sys.argv[1:])
