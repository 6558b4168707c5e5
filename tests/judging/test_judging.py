"""Verdicts on mail from outside: what is written, what is taken out, what a seal proves and does not prove."""

from __future__ import annotations

import base64
import logging

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from heliograph.judging.door import DROPPED, JudgingDoor
from heliograph.judging.judge import Judge
from heliograph.judging.results import FIELD, Seal, Verdict, told, without, written
from mail.headers import Headers, split_message
from mail.organization import organization
from mail.outcome import Delivered, Outcome, Refused
from spool.door import Envelope, RcptTo, Session
from spool.xforward import read_xforward

KEY = Ed25519PrivateKey.generate()
RAW = serialization.Encoding.Raw
SECRET = base64.b64encode(KEY.private_bytes(RAW, serialization.PrivateFormat.Raw, serialization.NoEncryption()))
PUBLIC = base64.b64encode(KEY.public_key().public_bytes(RAW, serialization.PublicFormat.Raw)).decode()
MAIL = b"From: Zoe <zoe@news.example.org>\r\nTo: a@fabric.test\r\nSubject: hello\r\n\r\ntext\r\n"
ZONE = {"s._domainkey.example.org": (f"v=DKIM1; k=ed25519; p={PUBLIC}",), "_dmarc.example.org": ("v=DMARC1; p=none",)}


def sealed(content: bytes = MAIL, domain: bytes = b"example.org", **more: object) -> bytes:
    signature = dkim.sign(
        content,
        b"s",
        domain,
        SECRET,
        signature_algorithm=b"ed25519-sha256",
        include_headers=[b"from", b"subject"],
        **more,
    )
    return bytes(signature) + content


async def judge(content: bytes, zone: dict[str, tuple[str, ...] | None] | None = None) -> tuple[Verdict, list[str]]:
    asked: list[str] = []
    known = ZONE if zone is None else zone

    async def texts(name: str) -> tuple[str, ...] | None:
        asked.append(name)
        return known.get(name, ())

    return await Judge(texts).judge(content), asked


async def test_a_true_seal_of_the_organization_is_a_pass() -> None:
    verdict, _ = await judge(sealed())
    assert verdict == Verdict((Seal("pass", "example.org", "s"),), "pass", "news.example.org") and verdict.is_authentic
    field = written(verdict, "fabric.test").decode()
    assert field == (
        "Authentication-Results: fabric.test; dkim=pass header.d=example.org header.s=s;"
        " dmarc=pass header.from=news.example.org\r\n"
    )


async def test_no_white_space_hides_that_a_part_is_sealed() -> None:
    """RFC 6376 3.4.2: relaxed, a thousand spaces are one."""
    content = sealed(length=True, canonicalize=(b"relaxed", b"relaxed")).replace(b"; l=", b";" + b" " * 5_000 + b"l=")
    verdict, _ = await judge(content + b"what anybody may write\r\n")
    assert [one.result for one in verdict.seals] == ["policy"] and not verdict.is_authentic


def test_long_names_do_not_hide_the_verdict() -> None:
    seals = (Seal("fail", "d" * 200, "s" * 200),) * 4
    field = written(Verdict(seals, "fail", "bank.example"), "fabric.test")
    assert field.endswith(b";\r\n dmarc=fail header.from=bank.example\r\n") and b"=?" not in field
    assert max(map(len, field.split(b"\r\n"))) < 998
    assert without(field + MAIL, {"fabric.test"}) == MAIL


async def test_unsigned_mail_costs_no_question() -> None:
    verdict, asked = await judge(MAIL)
    assert (verdict, asked) == (Verdict(), [])
    assert written(verdict, "fabric.test") == b"Authentication-Results: fabric.test; dkim=none\r\n"


@pytest.mark.parametrize(
    ("change", "zone", "result", "dmarc"),
    [
        (lambda m: m.replace(b"text", b"tax"), ZONE, "fail", ""),
        (lambda m: m.replace(b"Subject: hello", b"Subject: hell"), ZONE, "fail", ""),
        (lambda m: m.replace(b"zoe@news.example.org", b"zoe@example.com"), ZONE, "fail", "none"),
        (lambda m: m, {**ZONE, "s._domainkey.example.org": None}, "temperror", "temperror"),
        (lambda m: m, {**ZONE, "s._domainkey.example.org": ()}, "permerror", ""),
        (lambda m: m, {**ZONE, "_dmarc.example.org": None}, "pass", "temperror"),
        (lambda m: m, {**ZONE, "_dmarc.example.org": ("v=DMARC1; p=reject; adkim=s",)}, "pass", ""),
        (lambda m: m, {**ZONE, "_dmarc.example.org": ()}, "pass", "none"),
        (lambda m: m.replace(b"Subject:", b"From: <eve@example.org>\r\nSubject:"), ZONE, "fail", ""),
    ],
)
async def test_what_is_not_proven_is_not_said(change, zone, result: str, dmarc: str) -> None:  # type: ignore[no-untyped-def]
    verdict, _ = await judge(change(sealed()), zone)
    assert ([seal.result for seal in verdict.seals], verdict.dmarc) == ([result], dmarc)
    assert not verdict.is_authentic


async def test_a_seal_over_a_part_of_the_text_is_no_pass() -> None:
    verdict, _ = await judge(sealed(length=True) + b"and this was added\r\n")
    assert [seal.result for seal in verdict.seals] == ["policy"] and not verdict.is_authentic


async def test_a_seal_by_sha1_is_no_pass() -> None:
    """RFC 8301 3.1. The library takes it."""
    key = rsa.generate_private_key(65_537, 1_024)
    old = serialization.PrivateFormat.TraditionalOpenSSL
    pem = key.private_bytes(serialization.Encoding.PEM, old, serialization.NoEncryption())
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    zone = {**ZONE, "s._domainkey.example.org": (f"v=DKIM1; p={base64.b64encode(der).decode()}",)}
    for algorithm, result, dmarc in ((b"rsa-sha256", "pass", "pass"), (b"rsa-sha1", "policy", "")):
        seal = dkim.sign(MAIL, b"s", b"example.org", pem, signature_algorithm=algorithm, include_headers=[b"from"])
        verdict, _ = await judge(seal + MAIL, zone)
        assert ([one.result for one in verdict.seals], verdict.dmarc) == ([result], dmarc)


async def test_anothers_seal_does_not_speak_for_from() -> None:
    zone = {"s._domainkey.evil.example": ZONE["s._domainkey.example.org"], **ZONE}
    verdict, _ = await judge(sealed(domain=b"evil.example"), zone)
    assert verdict.seals[0].result == "pass" and not verdict.is_authentic


@pytest.mark.parametrize("name", [b"From", b"From "])  # dkimpy takes the latter for no field, and passes over it
async def test_a_from_behind_a_thousand_fields_is_not_overlooked(name: bytes) -> None:
    top = name + b": Ceo <ceo@news.example.org>\r\n" + b"X-Long: way\r\n" * 1000
    verdict, _ = await judge(top + sealed())
    assert not verdict.is_authentic
    signature, rest = sealed().split(b"From:", 1)
    verdict, _ = await judge(signature + top + b"From:" + rest)
    assert verdict.seals[0].result == "fail" and not verdict.is_authentic


async def test_a_thousand_seals_cost_four_questions() -> None:
    line = b"DKIM-Signature: v=1; a=rsa-sha256; d=x%d.example; s=s; h=from; bh=AA==; b=AA==\r\n"
    _, asked = await judge(b"".join(line % number for number in range(1000)) + MAIL)
    assert len([name for name in asked if "_domainkey" in name]) == 4


def test_organizations() -> None:
    assert [organization(name) for name in ("a.b.example.co.uk", "example.org", "co.uk")] == [
        "example.co.uk",
        "example.org",
        "co.uk",
    ]


FORGED = [
    b"Authentication-Results: fabric.test; dmarc=pass header.from=bank.example\r\n",
    b"authentication-results: FABRIC.test 1; dkim=pass\r\n",
    b'Authentication-Results: (a comment) "fabric.test"; dkim=pass\r\n',
    b"Authentication-Results:\r\n fabric.test\r\n ; dkim=pass\r\n",
    b"Authentication-Results: ; dkim=pass\r\n",
    b"Authentication-Results: fabric.test\r\n",
]


@pytest.mark.parametrize("field", FORGED)
def test_nobody_else_speaks_in_our_name(field: bytes) -> None:
    others = b"Authentication-Results: mx.example.org; dkim=pass\r\n"
    assert without(field + others + MAIL, {"fabric.test"}) == others + MAIL
    assert without(MAIL + b"Authentication-Results: fabric.test; x\r\n", {"fabric.test"}).endswith(b"x\r\n")  # text


def test_what_a_front_says_is_read() -> None:
    field = b"Authentication-Results: mx.example.org;\r\n\tdkim=pass (ok; dmarc=fail) header.d=a;\r\n\tdmarc=pass\r\n"
    verdict = told(field + MAIL, "MX.example.org")
    assert verdict and verdict.is_authentic
    assert told(field + MAIL, "other.example") is None and told(MAIL, "mx.example.org") is None


@pytest.mark.parametrize(
    "words",
    [
        'spf=pass smtp.mailfrom="; dmarc=pass "@pen.example; dmarc=fail',
        "dkim=fail (no key (of pen.example) ; dmarc=pass ); dmarc=none",
        'spf=none smtp.mailfrom="(\\"; dmarc=pass; "@pen.example; dmarc=fail',
        "dmarc=pass; dmarc=fail",
    ],
)
def test_what_a_front_quotes_is_no_word_of_its_own(words: str) -> None:
    verdict = told(f"Authentication-Results: mx.example.org; {words}\r\n".encode() + MAIL, "mx.example.org")
    assert verdict and not verdict.is_authentic


@given(st.binary(max_size=200))
def test_any_octets_are_read_or_not(value: bytes) -> None:
    content = b"Authentication-Results: " + value + b"\r\n" + MAIL
    without(content, {"fabric.test"})
    told(content, "fabric.test")
    left = Headers.parse(split_message(without(content, {"fabric.test"}))[0]).all(FIELD)
    assert all(not text.lower().startswith("fabric.test;") for text in left)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("NAME=mx.a.test ADDR=192.0.2.9 HELO=a.test", {"NAME": "mx.a.test", "ADDR": "192.0.2.9", "HELO": "a.test"}),
        ("ADDR=IPV6:2001:db8::1 PROTO=ESMTP", {"ADDR": "2001:db8::1", "PROTO": "ESMTP"}),
        ("NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE]", {}),
        ("HELO=a+20b", {"HELO": "a b"}),
        ("HELO=a+0D+0AX:y", None),
        ("ADDR=here", None),
        ("SECRET=x", None),
        ("ADDR", None),
    ],
)
def test_who_the_client_was(words: str, told: dict[str, str] | None) -> None:
    assert read_xforward(words) == told


class Inner:
    """A door that keeps what it is given, or refuses it."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome, self.taken = outcome, list[tuple[bytes, str]]()

    async def accept(self, session: Session, envelope: Envelope, content: bytes, known_by: str = "") -> Outcome:
        self.taken.append((content, known_by))
        return self.outcome


def door(inner: Inner, zone: dict[str, tuple[str, ...]], front: str = "") -> JudgingDoor:
    async def texts(name: str) -> tuple[str, ...]:
        return zone.get(name, ())

    return JudgingDoor(inner, Judge(texts), "fabric.test", front)  # type: ignore[arg-type]


NO = Refused("5.7.1 only bob may post")
TO = Envelope("zoe@example.org", [RcptTo("bob@reflectors.fabric.test")])


async def test_what_a_server_in_front_has_taken_goes_back_to_nobody_who_was_only_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    inner = Inner(NO)
    with caplog.at_level(logging.INFO):
        assert await door(inner, ZONE).accept(Session("lmtp", "192.0.2.1"), TO, MAIL) == DROPPED
    assert "only bob may post" in caplog.text
    assert await door(inner, ZONE).accept(Session("lmtp", "192.0.2.1"), TO, sealed()) == NO  # its author hears of it
    assert await door(inner, ZONE).accept(Session("mx", "192.0.2.9"), TO, MAIL) == NO  # he is on the line


async def test_a_front_is_believed_and_a_stranger_in_its_name_is_not() -> None:
    said = b"Authentication-Results: mx.example.org; dmarc=pass\r\n"
    inner = Inner(Delivered())
    judging = door(inner, ZONE, "mx.example.org")
    await judging.accept(Session("lmtp", "192.0.2.1", front=True), TO, FORGED[0] + said + MAIL)
    await judging.accept(Session("mx", "192.0.2.9"), TO, FORGED[0] + said + MAIL)
    first, second = inner.taken
    assert first[0] == said + MAIL
    assert second[0] == b"Authentication-Results: fabric.test; dkim=none\r\n" + MAIL
    assert first[1] == second[1] != ""  # a repeat is known by what came, whatever is found


async def test_who_signed_in_and_who_proved_themselves_are_not_judged() -> None:
    inner = Inner(Delivered())
    for session in (Session("submission", "192.0.2.9", entity="alice"), Session("mx", "192.0.2.2", host="host-2")):
        await door(inner, {}).accept(session, TO, MAIL)
    await door(inner, {}).accept(Session("mx", "192.0.2.9"), TO, MAIL, "ab" * 32)
    assert inner.taken == [(MAIL, ""), (MAIL, ""), (MAIL, "ab" * 32)]
