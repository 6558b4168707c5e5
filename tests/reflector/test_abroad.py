"""A post as strangers' providers see it."""

from __future__ import annotations

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.names import FabricNames
from mail.headers import Headers, split_message
from reflector.abroad import for_the_outside, is_way_out, way_out

NAMES = FabricNames("fabric.test", 64)
TOKEN = "abcdefghijklmnopqrstuvwx"
WEB = "https://mail.fabric.test"


def sent(author: str, *more: str) -> Headers:
    content = "\r\n".join([f"From: {author}", *more, "Subject: x", "", "y", ""]).encode()
    return Headers.parse(split_message(for_the_outside(NAMES, "bob", content))[0])


def name(headers: Headers) -> str:
    message = email.message_from_string(f"From: {headers.get('from')}\n\n", policy=email.policy.default)
    return str(message["From"].addresses[0].display_name)


@pytest.mark.parametrize(
    ("author", "shown"),
    [
        ("Bob <bob@fabric.test>", "Bob via fabric.test"),
        ("bob@fabric.test", "bob via fabric.test"),
        ('"Bob, of the hill" <bob@fabric.test>', "Bob, of the hill via fabric.test"),
        ("=?utf-8?q?B=C3=B6b?= <bob@fabric.test>", "Böb via fabric.test"),
        ('"ceo@bank.test" <bob@fabric.test>', "bob via fabric.test"),
        ("=?utf-8?b?Y2VvQGJhbmsudGVzdA==?= <bob@fabric.test>", "bob via fabric.test"),
        ("=?punycode?q?x?= <bob@fabric.test>", "bob via fabric.test"),
        ("=?utf-8?q?a=0D=0ABcc=3A_x?= <bob@fabric.test>", "a Bcc: x via fabric.test"),
        ("<", "bob via fabric.test"),
    ],
)
def test_the_list_is_the_sender_and_says_for_whom(author: str, shown: str) -> None:
    headers = sent(author)
    assert name(headers) == shown and headers.get("from").endswith("<bob@reflectors.fabric.test>")
    assert len(headers.all("from")) == 1 and not headers.has("bcc")


def test_a_feeds_title_stands_in_where_the_author_has_no_name() -> None:
    assert (
        name(sent("x@y.test", "List-Id: Lighthouse log <bob.reflectors.fabric.test>"))
        == "Lighthouse log via fabric.test"
    )


def test_answers_go_to_the_author_unless_he_said_where() -> None:
    assert sent("Bob <bob@fabric.test>").get("reply-to") == "bob@fabric.test"
    assert sent("Bob <bob@fabric.test>", "Reply-To: desk@fabric.test").all("reply-to") == ["desk@fabric.test"]


def test_another_sender_and_another_way_out_do_not_leave() -> None:
    headers = sent("Bob <bob@fabric.test>", "Sender: x@y.test", "List-Unsubscribe: <mailto:a@b.test>")
    assert not headers.has("sender") and not headers.has("list-unsubscribe")


@given(st.text(max_size=60))
def test_any_author_makes_one_good_field(author: str) -> None:
    clean = "".join(c for c in author if c not in "\r\n").encode("utf-8", "replace").decode()
    assert sent(clean).get("from").endswith("<bob@reflectors.fabric.test>")


def test_a_way_out_names_list_and_row_within_64_octets() -> None:
    longest = "b" * 30
    fields = dict(way_out(NAMES, WEB, f"{longest}+bounce.{TOKEN}@b7.reflectors.fabric.test"))
    url, mail = fields["List-Unsubscribe"].split(", ")
    assert url == f"<{WEB}/unsubscribe/{longest}/b7/{TOKEN}>"
    assert mail == f"<mailto:{longest}+leave.{TOKEN}@b7.reflectors.fabric.test>"
    assert len(f"{longest}+leave.{TOKEN}") <= 64
    assert way_out(NAMES, WEB, "bob+bounce@reflectors.fabric.test") == way_out(NAMES, WEB, "") == []


def test_the_root_is_named_by_its_own_bucket() -> None:
    bucket = f"b{NAMES.bucket('bob')}"
    fields = dict(way_out(NAMES, WEB, f"bob+bounce.{TOKEN}@reflectors.fabric.test"))
    assert f"/bob/{bucket}/{TOKEN}>" in fields["List-Unsubscribe"]
    assert is_way_out(NAMES, "bob", bucket, TOKEN)
    for source, place, token in (
        ("bob", "b64", TOKEN),
        ("b/b", "b7", TOKEN),
        ("bob", "b7", "short"),
        ("", "b7", TOKEN),
    ):
        assert not is_way_out(NAMES, source, place, token)
