"""ENVELOPE and BODYSTRUCTURE: to the letter for known mail, well-formed for any, kept once per body."""

from __future__ import annotations

import email
import email.policy
import os
import time
from email.headerregistry import AddressHeader
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_host import accounts, entries, facts
from mailbox_host.address_list import address_list
from mailbox_host.media import PLAIN_TEXT, read_disposition, read_media
from mailbox_host.scanner import scan
from mailbox_host.wire import string
from store import Bodies
from tests.mailbox_host.house import House, letter
from tests.mailbox_host.imap_values import Value, read


def crlf(text: str) -> bytes:
    return text.encode("latin-1").replace(b"\n", b"\r\n")


def structure(text: str) -> bytes:
    return facts.facts_of(crlf(text)).bodystructure


@pytest.mark.parametrize(
    "value,shown",
    [
        ("", "NIL"),
        (" , ,;", "NIL"),
        ("bob@x.test", '((NIL NIL "bob" "x.test"))'),
        ("Bob <bob@x.test>", '(("Bob" NIL "bob" "x.test"))'),
        ('"Bob \\"B\\" Smith, Jr." <bob@x.test>', '(("Bob \\"B\\" Smith, Jr." NIL "bob" "x.test"))'),
        ("John Q. Public <j@x.test>, <k@x.test>", '(("John Q. Public" NIL "j" "x.test")(NIL NIL "k" "x.test"))'),
        ("bob@x.test (Bob (the) Builder)", '(("Bob (the) Builder" NIL "bob" "x.test"))'),
        ("(note) Bob (note, <a@b>) <bob(note)@x.test>", '(("Bob" NIL "bob" "x.test"))'),
        ('"bob smith"@x.test', '((NIL NIL "bob smith" "x.test"))'),
        ('<"a@b"@[127.0.0.1]>', '((NIL NIL "a@b" "[127.0.0.1]"))'),
        ("bob . smith @ x . test", '((NIL NIL "bob.smith" "x.test"))'),
        ("<@a.test,@b.test:bob@x.test>", '((NIL "@a.test,@b.test" "bob" "x.test"))'),
        (
            "Friends: a@x.test, B <b@x.test>;",
            '((NIL NIL "Friends" NIL)(NIL NIL "a" "x.test")("B" NIL "b" "x.test")(NIL NIL NIL NIL))',
        ),
        ("undisclosed-recipients:;", '((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL))'),
        ("A: a@x.test", '((NIL NIL "A" NIL)(NIL NIL "a" "x.test")(NIL NIL NIL NIL))'),
        ("bob", '((NIL NIL "bob" "MISSING_DOMAIN"))'),
        ("Bob <>", '(("Bob" NIL "MISSING_MAILBOX" "MISSING_DOMAIN"))'),
        ("@x.test", '((NIL NIL "MISSING_MAILBOX" "x.test"))'),
        ("Bob <bob@x.test", '(("Bob" NIL "bob" "x.test"))'),
        ('"Bob <bob@x.test>', '((NIL NIL "Bob <bob@x.test>" "MISSING_DOMAIN"))'),
        ("=?utf-8?q?B=C3=B6b?= <bob@x.test>", '(("=?utf-8?q?B=C3=B6b?=" NIL "bob" "x.test"))'),
        ("Bö <b@x.test>", '(({2}\r\nB\xf6 NIL "b" "x.test"))'),
    ],
)  # fmt: skip
def test_addresses(value: str, shown: str) -> None:
    assert address_list(value.encode("latin-1")) == shown.encode("latin-1")


@pytest.mark.parametrize(
    "value,shown",
    [
        ("text/html; charset=utf-8", (b"text", b"html", [(b"charset", b"utf-8")])),
        (' Text / HTML ;; charset = "a;\\"b" ; x=y', (b"Text", b"HTML", [(b"charset", b'a;"b'), (b"x", b"y")])),
        ("text/html (c;x=y) ; (c) charset (c) = utf-8 (c)", (b"text", b"html", [(b"charset", b"utf-8")])),
        ("a/b; name=my file.pdf; x=1", (b"a", b"b", [(b"name", b"my"), (b"x", b"1")])),
        ('a/b; name="unended; x=1', (b"a", b"b", [(b"name", b"unended; x=1")])),
        ("a/b; =x; y; z=", (b"a", b"b", [(b"z", b"")])),
        ("", (b"text", b"plain", [])),
        ("text", (b"text", b"plain", [])),
        ("a/b; n*0=x; n*1=y", (b"a", b"b", [(b"n", b"xy")])),
        ("a/b; n*1=y; m=1; N*0=x", (b"a", b"b", [(b"n", b"xy"), (b"m", b"1")])),
        ("a/b; n*0*=utf-8''%C3%A9; n*1=\" b\"", (b"a", b"b", [(b"n*", b"utf-8''%C3%A9%20b")])),
        ("a/b; n*=utf-8''x", (b"a", b"b", [(b"n*", b"utf-8''x")])),
        ("a/b; n*1=y; n*2=z", (b"a", b"b", [(b"n*1", b"y"), (b"n*2", b"z")])),
        ("a/b; n*0=x; n*2=z", (b"a", b"b", [(b"n", b"x")])),
    ],
)  # fmt: skip
def test_content_types(value: str, shown: tuple[bytes, bytes, list[tuple[bytes, bytes]]]) -> None:
    media = read_media(value.encode(), PLAIN_TEXT)
    assert (media.type, media.subtype, list(media.parameters)) == shown


def test_dispositions() -> None:
    assert read_disposition(b'attachment; filename="a b"') == (b"attachment", ((b"filename", b"a b"),))
    assert read_disposition(b"") is read_disposition(b"; x=y") is None


@pytest.mark.parametrize(
    "value,shown",
    [
        (b"", b'""'), (b"a\tb", b'"a\tb"'), (b'a"b\\', b'"a\\"b\\\\"'), (b"\xff", b"{1}\r\n\xff"),
        (b"a\0", b"{2}\r\na?"),
        (b"\r\n", b"{2}\r\n\r\n"), (b"x" * 1001, b"{1001}\r\n" + b"x" * 1001),
    ],
)  # fmt: skip
def test_strings(value: bytes, shown: bytes) -> None:
    assert string(value) == shown


def test_the_envelope_of_a_message() -> None:
    content = crlf(
        "Date: Wed, 17 Jul 1996 02:23:25 -0700\nSubject: IMAP4rev1\n  WG mtg\nFrom: Terry <terry@cac.example>\n"
        "Sender:\nTo: imap@cac.example\nTo: too@cac.example\nCC: minutes@x.test, John <k@x.test>\n"
        'In-Reply-To: <a"b@x.test>\nMessage-Id: <1@cac.example>\nMessage-ID: <2@cac.example>\n\nhello\n'
    )
    terry = '(("Terry" NIL "terry" "cac.example"))'
    assert facts.facts_of(content).envelope.decode() == (
        '("Wed, 17 Jul 1996 02:23:25 -0700" "IMAP4rev1  WG mtg" '
        f'{terry} {terry} {terry} ((NIL NIL "imap" "cac.example")(NIL NIL "too" "cac.example")) '
        '((NIL NIL "minutes" "x.test")("John" NIL "k" "x.test")) NIL "<a\\"b@x.test>" "<1@cac.example>")'
    )
    assert facts.facts_of(b"\r\n").envelope == b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
    assert facts.facts_of(b"Subject:\r\n\r\n").envelope.startswith(b'(NIL "" NIL')


def test_the_structure_of_a_plain_message() -> None:
    made = facts.facts_of(crlf("Subject: x\n\none\ntwo\n"))
    assert made.body == b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 10 2)'
    assert made.bodystructure == b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 10 2 NIL NIL NIL NIL)'


def test_everything_that_a_part_can_say() -> None:
    shown = structure(
        "Content-Type: image/PNG; name=x.png\nContent-Transfer-Encoding: base64 (really)\nContent-ID: <1@x>\n"
        "Content-Description: a picture\nContent-MD5: Q2hlY2s=\nContent-Disposition: inline; filename=x.png\n"
        "Content-Language: de, en\nContent-Location: http://x.test/\n  a.png\n\nAAAA\n"
    )
    assert shown == (
        b'("image" "PNG" ("name" "x.png") "<1@x>" "a picture" "base64" 6 "Q2hlY2s=" '
        b'("inline" ("filename" "x.png")) ("de" "en") "http://x.test/a.png")'
    )


def test_multiparts_and_messages() -> None:
    text = (
        "Content-Type: multipart/mixed; boundary=b\nContent-Language: en\n\n--b\nContent-Type: message/rfc822\n\n"
        "Subject: in\n\nhi\n--b\nContent-Type: multipart/digest; boundary=c\n\n--c--\n--b--\n"
    )
    empty = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0'
    nothing = b" NIL" * 6
    assert structure(text) == (
        b'(("message" "rfc822" NIL NIL NIL "7bit" 17 (NIL "in"%b NIL NIL)'
        b' ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 2 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL)'
        b'(%b NIL NIL NIL NIL) "digest" ("boundary" "c") NIL NIL NIL) '
        b'"mixed" ("boundary" "b") NIL ("en") NIL)' % (nothing, empty)
    )
    assert facts.facts_of(crlf(text)).body.endswith(b'(%b) "digest") "mixed")' % empty)


def check_envelope(value: Value) -> None:
    assert isinstance(value, list) and len(value) == 10
    for place in (0, 1, 8, 9):
        assert value[place] is None or isinstance(value[place], bytes)
    for addresses in value[2:8]:
        assert addresses is None or (isinstance(addresses, list) and addresses)
        for address in addresses or []:
            assert isinstance(address, list) and len(address) == 4
            assert all(piece is None or isinstance(piece, bytes) for piece in address)
            assert address[3] is not None or address[0] is None is address[1]  # only groups have no host


def check_structure(value: Value, extended: bool) -> None:
    assert isinstance(value, list)
    if isinstance(value[0], list):
        parts = [item for item in value if isinstance(item, list)][
            : next(n for n, i in enumerate(value) if not isinstance(i, list))
        ]
        for part in parts:
            check_structure(part, extended)
        rest = value[len(parts) :]
        assert isinstance(rest[0], bytes) and len(rest) == (5 if extended else 1)
        return
    kind, subtype, parameters, *_ = value
    assert isinstance(kind, bytes) and isinstance(subtype, bytes) and isinstance(value[5], bytes)
    assert isinstance(value[6], int)
    assert parameters is None or (isinstance(parameters, list) and len(parameters) % 2 == 0)
    plain = 7
    if kind.lower() == b"text":
        plain = 8
    elif (kind.lower(), subtype.lower()) == (b"message", b"rfc822"):
        check_envelope(value[7])
        check_structure(value[8], extended)
        plain = 10
    assert plain == 7 or isinstance(value[plain - 1], int)
    assert len(value) == plain + (4 if extended else 0)


def check(content: bytes) -> None:
    made = facts.facts_of(content)
    check_envelope(read(made.envelope))
    check_structure(read(made.body), False)
    check_structure(read(made.bodystructure), True)


odd = st.sampled_from(
    ["(", ")", "<", ">", "@", ",", ";", ":", '"', "\\", "[", "]", " ", "\r\n ", "\n\t", "a", "b.c", "=", "/", "*0",
     "*1*=", "\x00", "\xff", "é", "=?utf-8?q?x?=", ".", "text", "message", "rfc822",
     "multipart", "boundary=b", "--b\r\n"]
)  # fmt: skip
values = st.lists(odd, max_size=25).map("".join)
names = st.sampled_from(
    ["From", "To", "Cc", "Sender", "Reply-To", "Subject", "Date", "Message-ID", "In-Reply-To", "Content-Type",
     "Content-ID", "Content-Disposition", "Content-Language", "Content-Location", "Content-MD5", "Bcc",
     "Content-Transfer-Encoding"]
)  # fmt: skip
headers = st.lists(st.tuples(names, values).map(lambda pair: f"{pair[0]}: {pair[1]}\r\n"), max_size=6).map("".join)
starts = st.sampled_from(["", "Content-Type: multipart/mixed; boundary=b\r\n", "Content-Type: message/rfc822\r\n"])
blocks = st.tuples(starts, headers, st.sampled_from(["\r\n", "\r\n\r\n--b\r\n", ""]), values).map("".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(blocks, max_size=4).map("".join))
def test_whatever_a_message_says_a_client_can_read_what_is_shown(text: str) -> None:
    check(text.encode("latin-1", "replace"))


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_at_all(content: bytes) -> None:
    check(content)
    read(address_list(content))


def real_mail() -> list[Path]:
    folder = Path(os.environ.get("HELIOGRAPH_DATA", "/nonexistent"))
    return sorted([*folder.glob("messages/*"), *folder.glob("bounces/*")])


@pytest.mark.skipif(not real_mail(), reason="HELIOGRAPH_DATA is not set")
def test_real_mail_is_shown_well_formed_with_the_addresses_that_the_standard_library_sees() -> None:
    different, compared = [], 0
    for path in real_mail():
        content = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        check(content)
        envelope = read(facts.facts_of(content).envelope)
        assert isinstance(envelope, list)
        try:
            theirs = email.message_from_bytes(content, policy=email.policy.default)
            fields = {place: theirs[name] for place, name in ((2, "From"), (5, "To"), (6, "Cc"))}
        except Exception:
            continue  # it cannot read its header: nothing to compare with
        for place, field in fields.items():
            if not isinstance(field, AddressHeader) or field.defects:
                continue
            shown = [a for a in envelope[place] or [] if isinstance(a, list) and a[3] is not None]  # type: ignore[union-attr]
            compared += 1
            said = [(a.username, a.domain) for a in field.addresses]
            if [(a[2].decode(), a[3].decode()) for a in shown] != said:
                different.append((path.name, shown, said))
    assert different == [] and compared > 100


ATTACKS = {
    "commas": lambda n: b"To: " + b"," * n,
    "quoted strings": lambda n: b"To: " + b'"a" ' * (n // 4),
    "open quotes": lambda n: b"To: " + b'"\\' * (n // 2),
    "comments": lambda n: b"To: " + b"(" * n,
    "comment after comment": lambda n: b"To: " + b"(a" * (n // 4) + b")" * (n // 4),
    "angles": lambda n: b"From: " + b"<" * n,
    "routes": lambda n: b"From: <" + b"@a:" * (n // 3),
    "groups": lambda n: b"From: " + b"a:;" * (n // 3),
    "literals": lambda n: b"From: " + b"[" * n,
    "semicolons": lambda n: b'Content-Type: a/b; a="' + b";" * n,
    "parameters": lambda n: b"Content-Type: a/b" + b";a=b" * (n // 4),
    "names": lambda n: b"Content-Type: a/b; " + b"a" * n,
    "spaces": lambda n: b"Content-Type: a/b" + b" " * n + b";",
    "segments": lambda n: b"Content-Type: a/b" + b"".join(b";a*%d=b" % k for k in range(n // 8)),
    "folds": lambda n: b"Subject: " + b"\r\n " * (n // 3),
    "repeated fields": lambda n: b"To: a@b\r\n" * (n // 9),
    "near fields": lambda n: b"Content-\r\n" * (n // 10),
    "delimiters": lambda n: b"Content-Type: multipart/x; boundary=b\r\n\r\n" + b"\r\n--b" * (n // 5),
    "near delimiters": lambda n: b"Content-Type: multipart/x; boundary=-\r\n\r\n" + b"\n-----" * (n // 6),
    "empty lines": lambda n: b"Content-Type: multipart/x; boundary=b\r\n\r\n" + b"\r\n" * (n // 2),
    "messages": lambda n: b"Content-Type: message/rfc822\r\n\r\n" * (n // 32),
    "nested": lambda n: b"".join(
        b"Content-Type: multipart/x; boundary=b%d\r\n\r\n--b%d\r\n" % (k, k) for k in range(60)
    ) + b"x\n" * (n // 2),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_message_costs_more_than_its_length(attack: str) -> None:
    """Eight times the octets take some eight times as long; quadratic work would take 64 times."""
    make = ATTACKS[attack]

    def cost(octets: int) -> float:
        content = make(octets)
        start = time.process_time()
        facts.facts_of(content)
        return time.process_time() - start

    check(make(20_000))
    small = min(cost(30_000) for _ in range(3))
    assert any(cost(240_000) < max(30 * small, 0.2) for _ in range(3))


@pytest.mark.parametrize(
    "part,rest",
    [
        (b"--b\r\nContent-Type: multipart/x; boundary=c\r\n\r\n", b"\n--"),  # names a boundary that never comes
        (b"--b\r\n", b"x: y\r\n"),  # a header whose empty line never comes
    ],
)
def test_a_thousand_parts_do_not_each_look_through_the_whole_message(part: bytes, rest: bytes) -> None:
    """What follows them is looked through as often for 900 parts as for 9: a few times."""

    def cost(parts: int) -> float:
        content = b"Content-Type: multipart/x; boundary=b\r\n\r\n" + part * parts + rest * 1_000_000
        start = time.process_time()
        scan(content)
        return time.process_time() - start

    few = min(cost(9) for _ in range(3))
    assert any(cost(900) < 10 * few + 0.1 for _ in range(3))


def stored(house: House) -> list[int]:
    return [row[0] for row in house.tx.all("SELECT body FROM body_facts ORDER BY body")]


def test_facts_are_made_once_per_body_and_go_with_it() -> None:
    house = House()
    house.move_in("alice", "carol")
    for name in ("alice", "carol"):
        house.append(name, "same", f"only {name}")
    inbox = house.folder("alice")
    first, second = (entry.body for entry in entries.entries(house.tx, inbox))
    assert facts.facts(house.tx, [first, second]) == {}
    made = facts.missing_facts(house.tx, [first, second, 999])
    assert made == facts.facts(house.tx, [first, second, 999]) and set(made) == {first, second}
    assert made[first] == facts.facts_of(letter("same"))
    assert facts.missing_facts(house.tx, [first]) == {first: made[first]}
    entries.expunge(house.tx, inbox, [1, 2])
    assert stored(house) == [first]  # carol has it still
    accounts.remove(house.tx, "carol")
    assert stored(house) == []


def test_facts_made_in_a_reader_are_kept_only_while_their_body_is_there() -> None:
    house = House()
    house.move_in("alice")
    house.append("alice", "a", "b")
    inbox = house.folder("alice")
    bodies = [entry.body for entry in entries.entries(house.tx, inbox)]
    made = facts.made_facts(house.tx, bodies)
    entries.expunge(house.tx, inbox, [1])
    facts.keep_facts(house.tx, made)
    facts.keep_facts(house.tx, made)
    assert stored(house) == bodies[1:]
    assert house.tx.all("PRAGMA foreign_key_check") == []


def test_a_body_that_went_never_lends_its_number_to_another() -> None:
    house = House()
    house.move_in("alice")
    house.append("alice", "a")
    (old,) = (entry.body for entry in entries.entries(house.tx, house.folder("alice")))
    entries.expunge(house.tx, house.folder("alice"), [1])
    assert Bodies.keep(house.tx, letter("b")) > old
