"""A stranger's mail comes in over a socket, and what the DNS says of the way it came stands in front of it."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from heliograph.judging.door import JudgingDoor
from heliograph.judging.joint import judged
from heliograph.judging.judge import Judge
from heliograph.judging.spf.asking import Came
from mail.headers import Headers, split_message
from mail.outcome import Outcome
from spool.door import Envelope, Role, Session
from spool.listeners import Listener
from spool.questions import Questions
from tests.fabric.town import make_fabric
from tests.judging.test_judging import PUBLIC, sealed
from tests.spool.dns_server import Names
from tests.spool.fake_door import FakeDoor, open_door, talk

US, OTHER = "127.0.0.7", "127.0.0.8"
RECORDS = {
    ("example.org", "TXT"): [f'"v=spf1 ip4:{US} -all"', '"something=else"'],
    ("soft.example.org", "TXT"): ['"v=spf1 include:" "example.org ~all"'],
    ("mx.example.org", "TXT"): ['"v=spf1 a -all"'],
    ("mx.example.org", "A"): [US],
    ("broken.example.org", "TXT"): ['"v=spf1 moo"'],
    ("asks.example.org", "TXT"): ['"v=spf1 a:silent.example.org +all"'],
    ("_dmarc.example.org", "TXT"): ['"v=DMARC1; p=reject"'],
    ("strict.example.net", "TXT"): [f'"v=spf1 ip4:{US} -all"'],
    ("_dmarc.example.net", "TXT"): ['"v=DMARC1; p=none; aspf=s"'],
    ("s._domainkey.example.org", "TXT"): [f'"v=DKIM1; k=ed25519; p={PUBLIC}"'],
}
SILENT = {"silent.example.org", "_dmarc.silent.example.org"}


class Inner(FakeDoor):
    async def accept(self, session: Session, envelope: Envelope, content: bytes, known_by: str = "") -> Outcome:
        return await super().accept(session, envelope, content)


class Doorway:
    """The door that judges; who comes from 127.0.0.1 is inside."""

    def __init__(self, inner: Inner, listener: Listener, names: Names) -> None:
        self.inner, self.listener, self.names = inner, listener, names

    async def verdict(self, sender: str, author: str, client: str = US, helo: str = "mx.example.org") -> str:
        """What is written in front of a mail that comes so."""
        content = f"From: {author}\r\nSubject: hi\r\n\r\ntext\r\n".encode()
        return await self.verdict_on(content, sender, client, helo)

    async def verdict_on(self, content: bytes, sender: str, client: str = US, helo: str = "mx.example.org") -> str:
        def deliver() -> None:
            with smtplib.SMTP("127.0.0.1", self.listener.port, helo, source_address=(client, 0)) as smtp:
                smtp.sendmail(sender, ["bob@fabric.test"], content)

        await asyncio.to_thread(deliver)
        fields = Headers.parse(split_message(self.inner.letters[-1][1])[0]).all("authentication-results")
        assert len(fields) == 1
        return fields[0].removeprefix("fabric.test; ")


@contextlib.asynccontextmanager
async def doorway(role: Role = "mx", **changes: object) -> AsyncIterator[Doorway]:
    inner = Inner()
    async with Names(dict(RECORDS), SILENT) as names:
        questions = Questions(names.address, lambda: 0.0)
        judge = Judge(questions.texts, questions.ask)
        judging = JudgingDoor(inner, judge, "fabric.test", is_inside=lambda address: address == "127.0.0.1")
        async with open_door(judging, role, **changes) as listener:  # type: ignore[arg-type]
            yield Doorway(inner, listener, names)


@pytest.mark.parametrize(
    ("sender", "author", "client", "spf", "dmarc"),
    [
        ("a@example.org", "a@example.org", US, "pass", "pass"),
        ("a@example.org", "a@example.org", OTHER, "fail", "fail"),
        ("a@soft.example.org", "a@news.example.org", US, "pass", "pass"),
        ("a@soft.example.org", "a@example.org", OTHER, "softfail", "fail"),
        ("", "a@example.org", US, "pass", "pass"),
        ("", "a@example.org", OTHER, "fail", "fail"),
        ("a@example.org", "boss@bank.example", US, "pass", "none"),
        ("a@strict.example.net", "a@example.net", US, "pass", "fail"),
        ("a@strict.example.net", "a@strict.example.net", US, "pass", "pass"),
        ("a@unknown.example", "a@unknown.example", US, "none", "none"),
        ("a@broken.example.org", "a@example.org", US, "permerror", "fail"),
        ("a@asks.example.org", "a@example.org", US, "temperror", "temperror"),
        ("a@asks.example.org", "a@strict.example.net", US, "temperror", "fail"),  # that would not have been aligned
        ("a@silent.example.org", "a@silent.example.org", US, "temperror", "temperror"),
        ("a@[127.0.0.7]", "a@example.org", US, "none", "fail"),
        ("a@example.org", "a@example.org, b@example.org", US, "pass", ""),
    ],
)
async def test_what_is_written(sender: str, author: str, client: str, spf: str, dmarc: str) -> None:
    domain = sender.partition("@")[2]
    name = f" smtp.mailfrom={domain}" if domain else " smtp.helo=mx.example.org"
    said = f"dkim=none; spf={spf}{'' if '[' in domain else name}"
    said += f"; dmarc={dmarc} header.from={author.partition('@')[2]}" if dmarc else ""
    async with doorway() as here:
        assert await here.verdict(sender, author, client) == said


async def test_a_true_seal_is_enough_and_so_is_the_way() -> None:
    async with doorway() as here:
        seal = "dkim=pass header.d=example.org header.s=s; "
        by_another_way = await here.verdict_on(sealed(), "a@bounces.example", OTHER)
        assert (
            by_another_way == f"{seal}spf=none smtp.mailfrom=bounces.example; dmarc=pass header.from=news.example.org"
        )
        changed = sealed().replace(b"text", b"tax")
        assert "dkim=fail" in (said := await here.verdict_on(changed, "a@example.org")) and "dmarc=pass" in said
        assert "dmarc=fail" in await here.verdict_on(changed, "a@bounces.example", OTHER)


async def test_where_a_pass_may_have_been_overlooked_no_fail_is_said() -> None:
    five = b"".join(sealed(domain=b"example.com").split(b"From:")[0] for _ in range(5))
    async with doorway() as here:
        said = await here.verdict_on(five + b"From: a@example.org\r\n\r\ntext\r\n", "a@example.org", OTHER)
        assert "spf=fail" in said and "dmarc" not in said
        part = sealed(length=True) + b"and more\r\n"
        assert "dmarc" not in await here.verdict_on(part, "a@example.org", OTHER)


async def test_what_comes_from_inside_is_not_judged_by_its_way() -> None:
    async with doorway() as here:
        assert await here.verdict("a@example.org", "a@example.org", "127.0.0.1") == "dkim=none"
        assert here.names.asked == []


@pytest.mark.parametrize(
    ("sender", "client", "told"),
    [
        ("zoe@example.org", US, True),
        ("zoe@example.org", OTHER, False),
        ("zoe@nothing.example", US, False),
        ("zoe@nothing.example", "127.0.0.1", True),
    ],
)
async def test_of_what_comes_to_nothing_later_nobody_hears_who_was_only_named(
    sender: str, client: str, told: bool
) -> None:
    """A mailbox that fills up: ten thousand forged senders would get as many notices (backscatter)."""
    async with doorway() as here:
        await here.verdict(sender, "zoe@example.net", client)
        assert [to.notify for to in here.inner.letters[-1][0].recipients] == ["" if told else "NEVER"]
        sealed_by_its_own = sealed(b"From: zoe@example.org\r\nSubject: hi\r\n\r\ntext\r\n")
        await here.verdict_on(sealed_by_its_own, "bounces@mail.example.org", OTHER)
        await here.verdict_on(sealed_by_its_own, "victim@example.net", OTHER)
        notify = [envelope.recipients[0].notify for envelope, _ in here.inner.letters[-2:]]
        assert notify == ["", "NEVER"]


async def test_a_server_in_front_tells_who_its_client_was_of_each_message_anew() -> None:
    fronts = {"fronts": frozenset({"127.0.0.1"})}
    async with doorway("lmtp", **fronts) as here, talk(here.listener, "LHLO front.test") as front:
        for told in (
            f"XFORWARD ADDR={US} HELO=mx.example.org",
            "XFORWARD ADDR=127.0.0.8",
            "NOOP",
            "XFORWARD ADDR=here",
        ):
            await front.ask(told, "MAIL FROM:<a@example.org>", "RCPT TO:<bob@fabric.test>", "DATA")
            front.send("From: a@example.org\r\n\r\ntext\r\n.\r\n")
            assert (await front.replies(1))[0].startswith("250")
        said = [content.split(b"\r\n")[0].decode() for _, content in here.inner.letters]
    assert [("spf=pass" in one, "spf=fail" in one, "dmarc" in one) for one in said] == [
        (True, False, True),
        (False, True, True),
        (False, False, False),
        (False, False, False),
    ]


async def test_the_same_question_is_asked_once() -> None:
    async with doorway() as here:
        for _ in range(3):
            await here.verdict("a@soft.example.org", "a@example.org")
        asked = here.names.asked
    assert sorted(asked) == sorted(set(asked)) and len(asked) == 3


async def test_a_host_counts_its_own_machines_as_inside(tmp_path: Path) -> None:
    """As a host puts it together from its configuration."""
    config = make_fabric(tmp_path, "10.9.8.0/24", hosts=2)
    inner = Inner()

    async def told(session: Session) -> bytes:
        await door.accept(session, Envelope("a@example.org"), b"From: a@example.org\r\n\r\ntext\r\n")
        return inner.letters[-1][1].split(b"\r\n")[0]

    async with Names(dict(RECORDS)) as names:
        smtp = replace(config.smtp, resolver=names.address, fronts=frozenset({"10.1.1.1"}))
        door = judged(replace(config, smtp=smtp), inner, lambda: 0.0)
        for peer in ("127.0.0.1", "::1", "127.4.4.4", "10.9.8.2", "::ffff:127.0.0.1"):
            assert b"spf" not in await told(Session("mx", peer))
        assert b"spf" not in await told(Session("lmtp", "203.0.113.1"))
        assert b"spf" not in await told(Session("mx", "10.1.1.1", front=True))
        assert b"spf" not in await told(Session("mx", "10.1.1.1", front=True, client="10.9.8.1"))
        assert b"spf=fail" in await told(Session("mx", "10.1.1.1", front=True, client="203.0.113.9"))
        assert b"spf=fail" in await told(Session("mx", "203.0.113.9"))
        assert b"spf=fail" in await told(Session("mx", "fe80::1%eth0"))


@pytest.mark.parametrize(
    "spoil", [lambda came: replace(came, client="nonsense"), lambda came: replace(came, client="")]
)
async def test_an_address_that_is_none_is_not_judged(spoil: Callable[[Came], Came]) -> None:
    async def ask(name: str, kind: str) -> tuple[str, ...]:
        raise AssertionError

    async def texts(name: str) -> tuple[str, ...]:
        return ()

    verdict = await Judge(texts, ask).judge(b"From: a@b.test\r\n\r\n", spoil(Came("", "x", "a@b.test")))
    assert verdict.path is None and verdict.dmarc == ""
