"""Our client at an LMTP server (RFC 2033): a reply for each recipient, and what is left when some never come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mail.outcome import Deferred, Delivered, Refused, outcome_of
from spool.letter import Letter, judge_each, prepare
from spool.peer import Peer
from spool.reply_reader import Reply
from spool.smtp_client import Client, Session
from tests.spool.queue_house import QUICK

MESSAGE = b"Subject: x\r\n\r\n.dot\r\ntext\r\n"


class Server:
    """Answers RCPT by `rcpts`, the message by `ends`, in order; hangs up where `ends` are fewer."""

    def __init__(self, rcpts: Sequence[str], ends: Sequence[str]) -> None:
        self.rcpts, self.ends = list(rcpts), list(ends)
        self.heard: list[str] = []
        self.content = b""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 box.test LMTP\r\n")
        answers = iter(self.rcpts)
        while line := (await reader.readline()).decode().strip():
            self.heard.append(line)
            match line.split()[0]:
                case "LHLO":
                    writer.write(b"250-box.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
                case "RCPT":
                    writer.write(f"{next(answers)}\r\n".encode())
                case "DATA":
                    writer.write(b"354 go\r\n")
                    self.content = await reader.readuntil(b"\r\n.\r\n")
                    writer.write("".join(f"{end}\r\n" for end in self.ends).encode())
                    if len(self.ends) < sum(reply.startswith("2") for reply in self.rcpts):
                        break
                case "QUIT":
                    break
                case _:
                    writer.write(b"250 ok\r\n")
        writer.close()


async def send(server: Server, place: Path, recipients: int) -> tuple[list[object], Session]:
    listening = await asyncio.start_unix_server(server.talk, place)
    session = await Client("us.test", QUICK, source_address="127.0.0.1").connect(Peer(str(place), 0, lmtp=True))
    assert isinstance(session, Session)
    letter = Letter("", [f"u{n}@b.test" for n in range(recipients)], prepare(MESSAGE))
    outcomes: list[object] = list(await session.deliver(letter))
    listening.close()
    return outcomes, session


async def test_each_recipient_has_the_answer_that_was_meant_for_her(tmp_path: Path) -> None:
    server = Server(["250 ok", "550 5.1.1 who", "250 ok", "250 ok"], ["250 kept", "452 4.2.2 full", "552 5.2.2 full"])
    outcomes, session = await send(server, tmp_path / "lmtp", 4)
    assert outcomes == [
        Delivered("kept"),
        Refused("5.1.1 who"),
        Deferred("4.2.2 full", 452),
        Refused("5.2.2 full", 552),
    ]
    assert server.heard[0] == "LHLO us.test" and [line[:4] for line in server.heard[1:]] == [
        "MAIL",
        *["RCPT"] * 4,
        "DATA",
    ]
    assert server.content.count(b"text") == 1 and session.is_usable


async def test_who_has_an_answer_keeps_it_when_the_server_goes_away(tmp_path: Path) -> None:
    server = Server(["250 ok"] * 3, ["250 kept"])
    outcomes, session = await send(server, tmp_path / "lmtp", 3)
    assert outcomes[0] == Delivered("kept") and not session.is_usable
    assert all(isinstance(outcome, Deferred) for outcome in outcomes[1:])


async def test_with_nobody_to_deliver_to_no_message_goes(tmp_path: Path) -> None:
    server = Server(["550 no"] * 2, [])
    outcomes, _ = await send(server, tmp_path / "lmtp", 2)
    assert outcomes == [Refused("no")] * 2


@given(st.lists(st.sampled_from([250, 450, 550])), st.lists(st.sampled_from([250, 451, 552])), st.data())
def test_no_answer_is_anothers(rcpts: list[int], ends: list[int], data: st.DataObject) -> None:
    taken = rcpts.count(250)
    ends = (ends * (taken + 1))[: data.draw(st.integers(0, taken))] if ends else []
    outcomes = judge_each([Reply(c, "r") for c in rcpts], [Reply(c, f"e{n}") for n, c in enumerate(ends)], "lost")
    assert [o for o, c in zip(outcomes, rcpts, strict=True) if c != 250] == [
        outcome_of(c, "r") for c in rcpts if c != 250
    ]
    mine = [o for o, c in zip(outcomes, rcpts, strict=True) if c == 250]
    assert mine[: len(ends)] == [outcome_of(c, f"e{n}") for n, c in enumerate(ends)]
    assert all(o == Deferred("4.4.2 lost", 421) for o in mine[len(ends) :])
