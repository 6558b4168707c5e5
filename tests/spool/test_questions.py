"""Questions to the DNS: what is remembered, for how long, and that a stranger's words in a name are only words."""

from __future__ import annotations

import asyncio

import dns.flags
import dns.message
import dns.rrset
import pytest

from spool import questions
from spool.questions import KEPT_SECONDS_MIN, NONE_KEPT_SECONDS, UNSURE_KEPT_SECONDS, Questions
from spool.small_answers import RECORDS_MAX
from tests.spool.dns_server import Names

RECORDS = {
    ("example.org", "TXT"): ['"one" " piece"', '"other"'],
    ("example.org", "A"): ["192.0.2.1", "192.0.2.2"],
    ("example.org", "AAAA"): ["2001:db8::1"],
    ("example.org", "MX"): ["10 mx.example.org."],
    ("null.example.org", "MX"): ["0 ."],
    ("odd.example.org", "MX"): [r"10 a\.b.example.org."],
    ("1.2.0.192.in-addr.arpa", "PTR"): ["example.org."],
    (r"a\\b.example.org", "TXT"): ['"backslash"'],
    ("a b:c/d.example.org", "TXT"): ['"odd"'],
}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_each_kind() -> None:
    async with Names(dict(RECORDS)) as names:
        ask = Questions(names.address, Clock()).ask
        assert sorted(await ask("example.org", "TXT") or ()) == ["one piece", "other"]
        assert sorted(await ask("Example.org.", "A") or ()) == ["192.0.2.1", "192.0.2.2"]
        assert await ask("example.org", "AAAA") == ("2001:db8::1",)
        assert await ask("example.org", "MX") == ("mx.example.org",)
        assert await ask("1.2.0.192.in-addr.arpa", "PTR") == ("example.org",)
        assert await ask("null.example.org", "MX") == ("",) == await ask("odd.example.org", "MX")
        assert await ask("none.example.org", "A") == () == await ask("null.example.org", "A")


async def test_names_that_cannot_be_are_not_asked_for() -> None:
    async with Names(dict(RECORDS)) as names:
        ask = Questions(names.address, Clock()).ask
        for name in ("", "a..b", "a" * 64 + ".org", "a." * 130 + "org", "\u00fc" * 80 + ".org"):
            assert await ask(name, "TXT") == ()
        assert names.asked == []


async def test_a_word_in_a_name_is_no_escape() -> None:
    async with Names(dict(RECORDS)) as names:
        ask = Questions(names.address, Clock()).ask
        assert await ask("a\\b.example.org", "TXT") == ("backslash",)
        await ask("a b:c/d.\0.example.org", "TXT")
    assert names.asked[-1][0] == r"a\032b:c/d.\000.example.org"


async def test_what_is_remembered_and_how_long() -> None:
    clock = Clock()
    async with Names(dict(RECORDS), {"broken.example.org"}) as names:
        ask = Questions(names.address, clock).ask
        seconds = {
            "example.org": KEPT_SECONDS_MIN,
            "no.test": NONE_KEPT_SECONDS,
            "broken.example.org": UNSURE_KEPT_SECONDS,
        }
        for name, kept in seconds.items():
            found = await asyncio.gather(*(ask(name, "A") for _ in range(5)))
            assert len(set(found)) == 1
            asked = len(names.asked)
            clock.now += kept - 1
            await ask(name, "A")
            assert len(names.asked) == asked
            clock.now += 2
            await ask(name, "A")
            assert len(names.asked) > asked
        assert await ask("broken.example.org", "A") is None


async def test_what_is_kept_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "KEPT_CHARACTERS_MAX", 600)
    monkeypatch.setattr(questions, "ANSWER_CHARACTERS_MAX", 300)
    clock = Clock()
    records = {(f"n{number}.test", "TXT"): [f'"{"x" * 250}"'] for number in range(9)}
    async with Names({**records, ("large.test", "TXT"): [f'"{"x" * 200}"'] * 2}) as names:
        ask = Questions(names.address, clock).ask
        for number in (*range(9), 8, 8, 7):
            assert await ask(f"n{number}.test", "TXT") == ("x" * 250,)
        assert len(names.asked) == 9
        await ask("n0.test", "TXT")
        assert len(names.asked) == 10
        for _ in range(5):  # the same again takes the place of itself
            clock.now += KEPT_SECONDS_MIN + 1
            await ask("n0.test", "TXT")
        await ask("n1.test", "TXT")
        count = len(names.asked)
        await ask("n1.test", "TXT")
        await ask("n0.test", "TXT")
        assert len(names.asked) == count
        names.records["large.test", "TXT"].append(f'"{"y" * 200}"')
        assert await ask("large.test", "TXT") is None


class Large(Names):
    """Says everything over TCP, and that it is too much for UDP."""

    async def __aenter__(self) -> Large:
        await super().__aenter__()
        self.heard = 0
        self._server = await asyncio.start_server(self._over_tcp, *self.address.split(":"))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await super().__aexit__()

    async def _over_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard += 1
        query = dns.message.from_wire(await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big")))
        answer = dns.message.make_response(query)
        name = query.question[0].name
        values = self.records[name.to_text(omit_final_dot=True), "A"]
        answer.answer.append(dns.rrset.from_text(name, 60, "IN", "A", *values))
        wire = answer.to_wire()
        cut = len(wire) // 2 if "cut" in str(name) else len(wire)
        writer.write(len(wire).to_bytes(2, "big") + wire[:cut])
        writer.close()

    def datagram_received(self, data: bytes, where: tuple[str, int]) -> None:
        answer = dns.message.make_response(dns.message.from_wire(data))
        answer.flags |= dns.flags.TC
        self._transport.sendto(answer.to_wire(), where)


async def test_a_large_answer_is_read_over_tcp_and_a_huge_one_is_not() -> None:
    def addresses(count: int) -> list[str]:
        return [f"10.0.{number >> 8}.{number & 255}" for number in range(count)]

    sizes = {"large.test": RECORDS_MAX - 1, "huge.test": RECORDS_MAX + 1, "endless.test": 4000, "cut.test": 5}
    async with Large({(name, "A"): addresses(count) for name, count in sizes.items()}) as names:
        ask = Questions(names.address, Clock()).ask
        assert len(await ask("large.test", "A") or ()) == RECORDS_MAX - 1
        assert [await ask(name, "A") for name in ("huge.test", "endless.test", "cut.test")] == [None] * 3
    assert names.heard == 4
