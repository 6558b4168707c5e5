"""A web site of very many names, for bench/ingest.py: TLS, one request a connection, answers made beforehand.

Law: it must never be what is measured: no parsing but of the first line and of one field.

What is asked for says what is answered: /304 is never modified, /new/N has one item more than N-1 has.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from typing import ClassVar, cast

import uvloop

ITEMS = 40
TEXT = "Lamps flash from hill to hill, and whoever looks up has the news before the rider does. " * 6


def item(number: int) -> str:
    return (
        f"<item><guid isPermaLink='false'>id-{number}</guid><title>Light {number}</title>"
        f"<link>https://lamps.example/{number}</link><pubDate>{number % 28 + 1:02d} Oct 2023 10:00:00 GMT</pubDate>"
        f"<description>&lt;p&gt;{number}. {TEXT}&lt;/p&gt;</description></item>"
    )


def document(newest: int) -> bytes:
    items = "".join(item(number) for number in range(newest, newest - ITEMS, -1))
    head = "<?xml version='1.0'?><rss version='2.0'><channel><title>Lamps</title><link>https://lamps.example/</link>"
    return f"{head}{items}</channel></rss>".encode()


def answer(status: str, body: bytes, etag: str) -> bytes:
    head = f'HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nETag: "{etag}"\r\nConnection: close\r\n\r\n'
    return head.encode() + body


class Web(asyncio.Protocol):
    """One connection, one answer."""

    answers: ClassVar = {b"/304": answer("304 Not Modified", b"", "1")}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._asked = cast(asyncio.Transport, transport), b""  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        self._asked += data
        if b"\r\n\r\n" in self._asked:
            path = self._asked.split(b" ", 2)[1]
            if path not in self.answers:
                newest = 100 + int(path.rpartition(b"/")[2])
                self.answers[path] = answer("200 OK", document(newest), str(newest))
            self._transport.write(self.answers[path])  # who asked closes: an unflushed TLS stream would be cut


async def main(certificate: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.get_running_loop().create_server(Web, "127.0.0.1", 0, ssl=context, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
