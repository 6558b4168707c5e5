"""What a sealed mail proves: the matrix of what is covered, aligned, young, and named."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliograph.proof.prover import UNSURE, Prover
from heliograph.proof.saying import (
    AGE_SECONDS_MAX,
    AHEAD_SECONDS_MAX,
    SEAL_CHARACTERS_MAX,
    number_of,
    proven_part,
    read_saying,
)
from mail.headers import Headers, split_message
from mail.unsealing import KEY_CHARACTERS_MAX, Claim, is_true
from tests.fabric.town import OUTSIDE
from tests.proof.seals import CAROL, COVERED, LIST, OTHERS, record, sealed, written

NOW = time.time()
KEYS = {f"s._domainkey.{OUTSIDE}": (record(),), "s._domainkey.evil.example": (record(OTHERS),)}
POLICY = {f"_dmarc.{OUTSIDE}": ("v=DMARC1; p=none",)}
BELOW = f"carol@news.{OUTSIDE}"


async def prove(content: bytes, zone: dict[str, Any] = KEYS, now: float = NOW) -> tuple[object, list[str]]:
    """What the seal proves: the author, None, or that nobody can say now; and what was asked."""
    asked: list[str] = []

    async def texts(name: str) -> tuple[str, ...] | None:
        asked.append(name)
        return zone.get(name, ())

    saying = read_saying(content, now)
    found = await Prover(texts).prove(content, saying) if saying else None
    return (saying.author if saying and isinstance(found, Claim) else found), asked


async def test_a_true_seal_of_from_proves_it() -> None:
    assert await prove(sealed(written())) == (CAROL, [f"s._domainkey.{OUTSIDE}"])  # no policy needed, none asked for
    saying = read_saying(sealed(written(to=f"Bob <{LIST}>, x@y.example", Cc=f"({LIST}) eve@y.example")), NOW)
    assert saying and saying.named == {LIST, "x@y.example", "eve@y.example"}


def less(*names: str) -> tuple[str, ...]:
    return tuple(name for name in COVERED if name not in names)


def old(seconds: float) -> bytes:
    return written(Date=formatdate(NOW + seconds))


def signed_at(seconds: float, **more: Any) -> bytes:
    """A seal with t= of its own: the library writes the moment's."""
    import dkim

    real = dkim.time.time
    dkim.time.time = lambda: NOW + seconds
    try:
        return sealed(written(), **more)
    finally:
        dkim.time.time = real


FORGED = {
    "changed text": lambda: sealed(written()).replace(b"\r\nhello\r\n", b"\r\nhullo\r\n"),
    "changed Subject": lambda: sealed(written()).replace(b"Subject: hello", b"Subject: hullo"),
    "changed From": lambda: sealed(written()).replace(b"From: carol", b"From: karol"),
    "another domain's seal": lambda: sealed(written(), "evil.example", OTHERS),
    "another's key": lambda: sealed(written(), key=OTHERS),
    "no seal": lambda: written(),
    "two Froms": lambda: b"From: " + CAROL.encode() + b"\r\n" + sealed(written()),
    "two addresses in From": lambda: sealed(written(sender=f"{CAROL}, eve@{OUTSIDE}")),
    "no address in From": lambda: sealed(written(sender="carol")),
    "another To on top": lambda: b"To: other@y.example\r\n" + sealed(written(), covered=less("to")),
    "a second To": lambda: b"To: other@y.example\r\n" + sealed(written()),
    "a second Content-Type": lambda: b"Content-Type: a/b\r\nContent-Type: a/c\r\n" + sealed(written()),
    "To not covered": lambda: sealed(written(), covered=less("to")),
    "Subject not covered": lambda: sealed(written(), covered=less("subject")),
    "Date not covered": lambda: sealed(written(), covered=less("date")),
    "Message-ID not covered": lambda: sealed(written(), covered=less("message-id")),
    "Cc not covered": lambda: sealed(written(Cc="a@b.example"), covered=less("cc")),
    "Cc added": lambda: b"Cc: a@b.example\r\n" + sealed(written(), covered=less("cc")),
    "no Message-ID": lambda: sealed(written().replace(b"Message-ID:", b"X-ID:"), covered=less("message-id")),
    "an odd Message-ID": lambda: sealed(written(Message_ID="x")),
    "a part of the text (l=)": lambda: sealed(written(), length=True),
    "an old Date": lambda: sealed(old(-AGE_SECONDS_MAX - 60)),
    "a Date to come": lambda: sealed(old(AHEAD_SECONDS_MAX + 60)),
    "no Date": lambda: sealed(written(Date="whenever")),
    "an old seal": lambda: signed_at(-AGE_SECONDS_MAX - 60),
    "a seal to come": lambda: signed_at(AHEAD_SECONDS_MAX + 60),
    "another user (i=)": lambda: sealed(written(), identity=f"mallory@{OUTSIDE}".encode()),
    "a thousand fields": lambda: b"X-A: b\r\n" * 1000 + sealed(written()),
    "a From beyond ASCII": lambda: sealed(written().replace(b"carol@", "cärol@".encode())),
    "a Subject that ends sooner for one reader": lambda: sealed(written(subject="subscribe not", text="x")).replace(
        b"subscribe not", b"subscribe\r\nFrom nobody\r\n not"
    ),
    "a line that is no field": lambda: sealed(written()).replace(b"Date:", b"From nobody\r\nDate:"),
    "seals of no consequence above": lambda: b"DKIM-Signature: v=1; d=x.example\r\n" * 4 + sealed(written()),
}


@pytest.mark.parametrize("how", FORGED)
async def test_what_proves_nothing(how: str) -> None:
    assert (await prove(FORGED[how]()))[0] is None


async def test_all_forgeries_are_of_something_that_is_good() -> None:
    good = [
        sealed(written(Cc="a@b.example")),
        sealed(old(-AGE_SECONDS_MAX + 60)),
        sealed(old(AHEAD_SECONDS_MAX - 60)),
        signed_at(-AGE_SECONDS_MAX + 60),
        sealed(written(), identity=CAROL.encode()),
        sealed(written(), identity=f"@{OUTSIDE}".encode()),
        sealed(written(), identity=f"@mail.{OUTSIDE}".encode()),
        b"X-A: b\r\n" * 10 + sealed(written()),
        sealed(written(sender=f'"a, b" <{CAROL}> (from <x@y>)')),
        b"DKIM-Signature: v=1; d=x.example\r\n" * 3 + sealed(written()),
        sealed(sealed(written(), "evil.example", OTHERS)),
    ]
    for content in good:
        assert (await prove(content))[0] == CAROL


def expiring(seconds: float) -> bytes:
    """The library writes no x=; its place in the field is as good as any."""
    import dkim

    fields = dkim.DKIM.gen_header
    dkim.DKIM.gen_header = (
        lambda self, found, *rest: fields(  # type: ignore[method-assign]
            self, [*found[:1], (b"x", str(int(NOW + seconds)).encode()), *found[1:]], *rest
        )
    )
    try:
        return signed_at(-3_600)
    finally:
        dkim.DKIM.gen_header = fields  # type: ignore[method-assign]


async def test_a_seal_that_has_ended_proves_nothing() -> None:
    assert (await prove(expiring(60)))[0] == CAROL
    assert (await prove(expiring(60), now=NOW + 120))[0] is None  # by our own clock, not the library's
    assert (await prove(expiring(-60)))[0] is None


@pytest.mark.parametrize(
    ("zone", "proven"),
    [
        (KEYS | POLICY, BELOW),
        (KEYS, None),  # no policy: the domain above does not say that it speaks for this one
        (KEYS | {f"_dmarc.{OUTSIDE}": ("v=DMARC1; p=reject; adkim=s",)}, None),
        (KEYS | POLICY | {f"_dmarc.news.{OUTSIDE}": ("v=DMARC1; p=none; adkim=s",)}, None),
        (KEYS | POLICY | {f"_dmarc.news.{OUTSIDE}": None}, UNSURE),
    ],
)
async def test_a_domain_above_speaks_by_policy(zone: dict[str, Any], proven: object) -> None:
    content = sealed(written(sender=BELOW))
    assert (await prove(content, zone))[0] == proven


async def test_a_domain_below_does_not_speak_for_the_one_above() -> None:
    zone = KEYS | POLICY | {f"s._domainkey.news.{OUTSIDE}": (record(),)}
    assert await prove(sealed(written(), f"news.{OUTSIDE}"), zone) == (None, [])
    assert await prove(sealed(written(sender="a@co.uk"), "uk"), zone) == (None, [])


@pytest.mark.parametrize(
    ("texts", "proven"),
    [
        (None, UNSURE),
        ((), None),
        ((record(), record()), None),
        ((record(more="t=y; "),), None),
        ((record(more="t=y:s; "),), None),
        ((record(more="s=tlsrpt; "),), None),
        ((record(more="h=sha1; "),), None),
        ((record(more="h=sha1:sha256; "),), CAROL),
        (("\xff\xfe\0x",), None),
        ((record(more="t=s; "),), CAROL),
        ((record(more="s=email; "),), CAROL),
        (("",), None),
        (("v=DKIM1; p=",), None),
    ],
)
async def test_keys(texts: tuple[str, ...] | None, proven: object, caplog: pytest.LogCaptureFixture) -> None:
    assert (await prove(sealed(written()), {f"s._domainkey.{OUTSIDE}": texts}))[0] == proven
    assert not caplog.records  # what a stranger publishes is no error of this host


async def test_a_key_for_its_very_domain() -> None:
    content = sealed(written(), identity=f"@mail.{OUTSIDE}".encode())
    assert (await prove(content, {f"s._domainkey.{OUTSIDE}": (record(more="t=s; "),)}))[0] is None


async def test_unsigned_mail_costs_no_question() -> None:
    assert await prove(written()) == (None, [])
    line = b"DKIM-Signature: v=1; a=rsa-sha256; d=%b; s=s%d; h=from:to:cc:subject:date:message-id; bh=AA==; b=AA==\r\n"
    many = b"".join(line % (OUTSIDE.encode(), number) for number in range(100))
    assert len((await prove(many + written()))[1]) == 4
    long = line.replace(b"; b=", b"; z=" + b"x" * SEAL_CHARACTERS_MAX + b"; b=") % (OUTSIDE.encode(), 1)
    assert await prove(long + written()) == (None, [])


def test_a_key_that_only_costs_time_is_not_tried() -> None:
    content = sealed(written())
    claim = Claim(0, "", ())
    padded = record() + ";" + " " * KEY_CHARACTERS_MAX
    assert is_true(content, claim, record()) and not is_true(content, claim, padded)


def test_a_mail_is_known_by_what_is_sealed() -> None:
    content = written(Cc="a@b.example")
    number = number_of(sealed(content))
    again = b"X-New: 1\r\n" + sealed(content, selector="t").replace(b"Subject: hello", b"SUBJECT:   hello ")
    assert number_of(again) == number and number_of(content + b"\r\n\r\n") == number
    for name in (b"From", b"To", b"Subject", b"Date", b"Message-ID"):
        assert number_of(content.replace(name + b": ", name + b": x")) != number
    assert number_of(content + b"more\r\n") != number
    less = content.replace(b"Cc: a@b.example\r\n", b"")  # of two seals one may not cover it
    assert number_of(less) == number_of(content)


@pytest.mark.parametrize("white", [b"\x0b", b"\x0c", b" \x0b\x0c ", b"\x0b\r\n "])
@pytest.mark.parametrize("name", [b"From", b"To", b"Subject", b"Date", b"Message-ID"])
def test_no_white_space_makes_a_true_mail_another_one(white: bytes, name: bytes) -> None:
    """The library takes more away at a field's ends than RFC 6376 says."""
    content = sealed(written())
    start, line, rest = content.partition(b"\r\n" + name + b": ")
    for again in (start + line + white + rest, start + line + rest.replace(b"\r\n", white + b"\r\n", 1)):
        known = number_of(again) == number_of(content)
        assert known or not is_true(again, Claim(0, "", ()), record())


def test_what_no_seal_covers_is_left_out() -> None:
    content = written(MIME_Version="1.0", Content_Type="text/plain", X_Old="1", Reply_To="x@y.example")
    claim = Claim(0, "", COVERED)
    part = proven_part(b"Authentication-Results: fabric.test; dkim=pass\r\nX-Loop: a@b\r\n" + sealed(content), claim)
    names = [name for name, _ in Headers.parse(split_message(part)[0]).fields]
    kept = {"from", "to", "subject", "date", "message-id", "mime-version", "content-type", "x-loop"}
    assert sorted(names) == sorted(kept)


@given(st.binary(max_size=300), st.sampled_from([b"From", b"To", b"Date", b"Message-ID", b"DKIM-Signature", b"Cc"]))
def test_any_octets_are_read_or_not(value: bytes, name: bytes) -> None:
    content = name + b": " + value + b"\r\n" + sealed(BASE)
    read_saying(content, NOW)
    number_of(content)
    replaced = BASE.replace(name + b":", b"X:", 1)
    read_saying(b"DKIM-Signature: d=" + OUTSIDE.encode() + b"\r\n" + name + b": " + value + b"\r\n" + replaced, NOW)


BASE = written()
