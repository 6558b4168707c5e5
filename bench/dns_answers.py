"""The directory's DNS: how long a zone takes to load, and how many questions a second are answered.

Loading is compared with dnspython's zone reader on the same file; answering with a raw UDP echo on the same machine in
the same run, once written like our server (a callback on the socket) and once with asyncio's own datagram transport.

    python bench/dns_answers.py [--quick] [--json]

(Not called dns.py: a script's folder comes first on the path, and dnspython is called dns.)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import socket
import struct
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from typing import cast

import dns.zone

from directory import wire
from directory.answers import Answers
from directory.fabric import to_directory
from directory.lint import lint
from directory.rate import RateLimit
from directory.render import render_zone
from directory.server import DnsServer, Rights
from directory.snapshot import HostRecord
from directory.zone import Zone
from directory.zone_text import read_zone

DOMAIN = "fabric.test"
WINDOW = 64  # questions under way at a time, from one client
HOSTS = [HostRecord(f"host-{n}", f"192.0.2.{n}", bytes([n]) * 32) for n in (1, 2, 3)]

Line = dict[str, float | str]


def read(text: str) -> Zone:
    zone = read_zone(text.encode(), DOMAIN).zone
    assert zone is not None
    return zone


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process: the machine may be shared."""
    start = time.process_time()
    work()
    return time.process_time() - start


def load(buckets: int, with_peer: bool) -> Line:
    """From the file's text to a directory that can route and answers that can be sent."""
    text = render_zone(DOMAIN, buckets, HOSTS)

    def ours() -> None:
        zone = read(text)
        assert not lint(zone, buckets=buckets)
        to_directory(zone)
        Answers(zone)

    took = min(seconds(ours) for _ in range(3))
    line: Line = {"name": f"load {buckets:,} buckets x 2 maps, s", "ours": took}
    if with_peer:
        peer = seconds(lambda: dns.zone.from_text(text, DOMAIN + ".", relativize=False))
        line |= {"peer": peer, "ratio": peer / took}
    return line


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data, addr)


async def serve_echo_transport(bound: Callable[[int], None], stop: Event) -> None:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Echo, ("127.0.0.1", 0))
    bound(transport.get_extra_info("sockname")[1])
    await asyncio.to_thread(stop.wait)


async def serve_echo_callback(bound: Callable[[int], None], stop: Event) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as echo:
        echo.setblocking(False)
        echo.bind(("127.0.0.1", 0))

        def readable() -> None:
            for _ in range(64):
                try:
                    packet, source = echo.recvfrom(4096)
                except BlockingIOError:
                    return
                echo.sendto(packet, source)

        asyncio.get_running_loop().add_reader(echo, readable)
        bound(echo.getsockname()[1])
        await asyncio.to_thread(stop.wait)
        asyncio.get_running_loop().remove_reader(echo)


async def serve_dns(bound: Callable[[int], None], stop: Event) -> None:
    server = DnsServer("127.0.0.1", 0, Rights(lambda _: False, lambda _: False), RateLimit(0, 0))
    await server.start()
    server.serve(Answers(read(render_zone(DOMAIN, 4096, HOSTS))))
    bound(server.port)
    await asyncio.to_thread(stop.wait)
    await server.stop()


SERVERS = {"dns": serve_dns, "echo callback": serve_echo_callback, "echo transport": serve_echo_transport}


def serve(kind: str, port: multiprocessing.Queue[int], stop: Event) -> None:
    asyncio.run(SERVERS[kind](port.put, stop))


def rate(kind: str, duration: float) -> float:
    """Ask a server in a process of its own; return answers a second."""
    port: multiprocessing.Queue[int] = multiprocessing.Queue()
    stop = multiprocessing.Event()
    process = multiprocessing.Process(target=serve, args=(kind, port, stop), daemon=True)
    process.start()
    try:
        return ask(port.get(timeout=60), duration)
    finally:
        stop.set()
        process.join(10)


def ask(port: int, duration: float) -> float:
    chance = random.Random(1)
    tail = struct.pack("!HH", wire.MX, wire.CLASS_IN)
    questions = [
        wire.HEADER.pack(number & 0xFFFF, wire.RD, 1, 0, 0, 0)
        + wire.name_of(f"b{chance.randrange(4096)}.timeline.{DOMAIN}")
        + tail
        for number in range(2_000)
    ]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(1)
        for question in questions[:WINDOW]:
            client.send(question)
        answered, start = 0, time.perf_counter()
        while True:
            assert len(client.recv(4096)) >= 12
            answered += 1
            if not answered % 256 and time.perf_counter() - start > duration:
                return answered / (time.perf_counter() - start)
            client.send(questions[answered % len(questions)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute: no dnspython on the large zone")
    parser.add_argument("--json", action="store_true", help="the result as one object on the last line")
    arguments = parser.parse_args()
    duration = 2.0 if arguments.quick else 8.0
    lines = [load(4096, True), load(65_536, not arguments.quick)]
    rounds = 2 if arguments.quick else 3  # the better of them, each kind in turn: the machine may be shared
    rates: dict[str, list[float]] = {kind: [] for kind in SERVERS}
    for _ in range(rounds):
        for kind, seen in rates.items():
            seen.append(rate(kind, duration / rounds))
    ours = max(rates["dns"])
    for kind in ("echo callback", "echo transport"):
        floor = max(rates[kind])
        lines.append({"name": f"answers/s, against {kind}", "ours": ours, "peer": floor, "ratio": ours / floor})
    print(f"{'':44}{'ours':>12}{'peer':>12}{'ratio':>8}")
    for line in lines:
        figures = [f"{line[key]:,.2f}" if key in line else "-" for key in ("ours", "peer", "ratio")]
        print(f"{line['name']:44}{figures[0]:>12}{figures[1]:>12}{figures[2]:>8}", flush=True)
    if arguments.json:
        print(json.dumps({"lines": lines}))


if __name__ == "__main__":
    main()
