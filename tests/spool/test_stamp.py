"""The stamp on what leaves: once a message for what is common, once a transaction for what is not."""

from __future__ import annotations

from pathlib import Path

from mail.envelope import Recipient
from spool.queue import Message
from spool.stamp import Departing, nothing_behind
from tests.spool.queue_house import House
from tests.spool.scripted_peer import Peer

GREEN = "From: a@here\r\nContent-Type: text/plain; charset=utf-8\r\n\r\ngrün\r\n.\r\n".encode()


class Stamp:
    """Notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def __call__(self, content: bytes, about: Message, sort: str) -> Departing:
        self.asked.append(content)
        back = (lambda path: f"..{path}\r\n".encode()) if sort == "wordy" else nothing_behind
        return Departing(b"X-Common: yes\r\n" + content, lambda path, now: f"X-Own: {path}\r\n".encode(), back)

    def sort(self, mailbox: str) -> str:
        return "wordy" if mailbox.startswith("w") else ""


async def test_a_fan_out_is_stamped_per_copy_over_one_body(tmp_path: Path) -> None:
    stamp = Stamp()
    async with Peer() as peer, House(tmp_path, start=False) as house:
        house.runner._stamp = stamp
        await house.runner.start()
        house.fabric.ports = {"b.test": peer.port, "host-2": peer.port}
        to = [Recipient(f"u{n}@b.test", f"x+{n}@here") for n in range(40)]
        await house.put(*to, "inside@host-2", content=GREEN)
        await house.empty()
        assert stamp.asked == [GREEN]
        abroad = [t for t in peer.taken if t.recipients != ["inside@host-2"]]
        assert len(abroad) == 40
        for taken in abroad:
            assert taken.content == f"X-Own: {taken.sender}\r\nX-Common: yes\r\n".encode() + GREEN
        (inside,) = [t for t in peer.taken if t.recipients == ["inside@host-2"]]
        assert inside.content == GREEN


async def test_who_takes_seven_bits_gets_seven_before_the_stamp_sees_it(tmp_path: Path) -> None:
    stamp = Stamp()
    async with Peer(features=("PIPELINING",)) as old, Peer() as new, House(tmp_path, start=False) as house:
        house.runner._stamp = stamp
        await house.runner.start()
        house.fabric.ports = {"old.test": old.port, "new.test": new.port}
        await house.put("u@old.test", "u@new.test", content=GREEN)
        await house.empty()
        assert b"quoted-printable" in old.taken[0].content and b"gr=C3=BCn" in old.taken[0].content
        assert new.taken[0].content.endswith(GREEN)
        assert sorted(map(bytes.isascii, stamp.asked)) == [False, True]


async def test_a_line_that_is_too_long_for_the_world_leaves_encoded(tmp_path: Path) -> None:
    long = GREEN.replace(b"gr", b"gr" * 600)
    async with Peer() as peer, House(tmp_path, start=False) as house:
        house.runner._stamp = Stamp()
        await house.runner.start()
        house.fabric.ports = {"b.test": peer.port, "host-2": peer.port}
        await house.put("u@b.test", "inside@host-2", content=long)
        await house.empty()
        found = {taken.recipients[0]: taken.content for taken in peer.taken}
        assert found["inside@host-2"] == long and b"quoted-printable" in found["u@b.test"]


async def test_each_sort_of_mailbox_is_asked_for_once_and_a_copy_may_go_on(tmp_path: Path) -> None:
    stamp = Stamp()
    features = ("PIPELINING", "8BITMIME", "SIZE 10000")
    async with Peer(features=features) as peer, House(tmp_path, start=False) as house:
        house.runner._stamp = stamp
        await house.runner.start()
        house.fabric.ports = {"b.test": peer.port}
        await house.put(
            *(Recipient(f"{sort}{n}@b.test", f"x+{n}.{sort}@here") for n in range(9) for sort in "uw"), content=GREEN
        )
        await house.empty()
        assert stamp.asked == [GREEN, GREEN]
        assert len(peer.taken) == 18
        for taken in peer.taken:
            own = f"..{taken.sender}\r\n" if taken.recipients[0].startswith("w") else ""
            assert taken.content == f"X-Own: {taken.sender}\r\nX-Common: yes\r\n".encode() + GREEN + own.encode()
        told = [line.partition("SIZE=")[2].split()[0] for line in peer.heard if line.startswith("MAIL")]
        assert sorted(told) == sorted(str(len(taken.content)) for taken in peer.taken)


async def test_the_size_that_is_told_is_that_of_the_copy(tmp_path: Path) -> None:
    async with Peer(features=("PIPELINING", "8BITMIME", "SIZE 200")) as peer, House(tmp_path, start=False) as house:
        house.runner._stamp = Stamp()
        await house.runner.start()
        house.fabric.ports = {"b.test": peer.port, "here": 0}
        await house.put("u@b.test", content=GREEN, sender=f"{'s' * 60}@here")
        await house.empty()
        (mail,) = [line for line in peer.heard if line.startswith("MAIL")]
        assert f"SIZE={len(peer.taken[0].content)}" in mail


async def test_a_header_beyond_ascii_that_nobody_declared_is_said_in_ascii_before_the_stamp(tmp_path: Path) -> None:
    """RFC 6531 3.4: else each next host may refuse it, or the reader see something else."""
    stamp, shout = Stamp(), "From: a@here\r\nSubject: Grüße\r\n\r\nx\r\n".encode()
    async with Peer(features=("PIPELINING",)) as old, Peer() as new, House(tmp_path, start=False) as house:
        house.runner._stamp = stamp
        await house.runner.start()
        house.fabric.ports = {"old.test": old.port, "new.test": new.port}
        await house.put("u@old.test", "u@new.test", content=shout)
        await house.empty()
        assert set(stamp.asked) == {b"From: a@here\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\r\n\r\nx\r\n"}
        assert [one.content.endswith(stamp.asked[0]) for one in (*old.taken, *new.taken)] == [True, True]
