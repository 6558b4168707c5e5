"""However the client's octets are cut into packets, it is told the same."""

from __future__ import annotations

import asyncio
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from spool.smtp_settings import LINE_OCTETS_MAX
from tests.spool.fake_door import FakeDoor, NoTransport, quiet, session_on

PARTS = [
    b"EHLO me\r\n",
    b"MAIL FROM:<a@b.test>\r\n",
    b"RCPT TO:<alice@fabric.test>\r\n",
    b"RCPT TO:<nobody@fabric.test>\r\n",
    b"RCPT TO:<slow@fabric.test>\r\n",
    b"RCPT TO:<slow-nobody@fabric.test>\r\n",
    b"DATA\r\n",
    b"Subject: x\r\n\r\n..\r\n",
    b".\r\n",
    b"\r\n.\r\n",
    b"RSET\r\n",
    b"NOOP\n",
    b"\n",
    b"x" * (LINE_OCTETS_MAX + 5) + b"\r\n",
    b"AUTH LOGIN\r\n",
    b"Ym9i\r\n",
    b"*\r\n",
    b"QUIT\r\n",
]
A_LETTER = [PARTS[n] for n in (0, 1, 2, 4, 6, 7, 8)]


async def told(packets: list[bytes]) -> tuple[bytes, int]:
    """Return what the server said, and how many messages it took."""
    door = FakeDoor()
    transport = NoTransport("127.0.0.1")
    session = await session_on(door, transport, "submission")
    session.guest.entity = "bob"
    for packet in packets:
        session.data_received(packet)
        await quiet()
    await asyncio.sleep(0.02)  # the slow ones
    session.eof_received()
    while not transport.closed:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    session.connection_lost(None)
    return transport.written, len(door.letters)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=12), st.data())
def test_cuts_change_nothing(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(A_LETTER + parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    places = [0, *cuts, len(stream)]
    packets = [stream[start:end] for start, end in itertools.pairwise(places)]
    whole = asyncio.run(told([stream]))
    assert asyncio.run(told(packets)) == whole
    assert whole[1] >= 1


def test_octet_by_octet() -> None:
    stream = b"".join(A_LETTER) + PARTS[-1]
    octets = [stream[at : at + 1] for at in range(len(stream))]
    assert asyncio.run(told(octets)) == asyncio.run(told([stream]))
