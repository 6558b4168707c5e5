"""The owner's mails about her footer, and what becomes of posts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.control import CreateSource, RemoveSource, Subscribe
from mail.footer import FIELD, footer_of
from mail.outcome import Delivered
from reflector.footer_commands import written
from reflector.footers import find_footer
from tests.reflector.town import NAMES, Town

BOB = "bob@reflectors.fabric.test"
FOOTER = "bob+footer@reflectors.fabric.test"
EVE = "eve@pen.test"


def answered(town: Town) -> str:
    (answer,) = town.fetch(NAMES.timeline("bob"))
    assert "footer" in answer.headers.get("subject")
    return answer.text


def test_an_owner_sets_asks_changes_and_takes_away(town: Town) -> None:
    town.write(
        FOOTER, by="bob", subject="my footer", text="Bob's news\r\nLeave: %unsubscribe%\r\n-- \r\nBob\r\n+49 1\r\n"
    )
    said = answered(town)
    assert "  Bob's news\r\n  Leave: %unsubscribe%\r\n\r\n" in said and "+49" not in said
    assert find_footer(town.tx, "bob") == "Bob's news\nLeave: %unsubscribe%"
    for subject, text in (("", ""), ("show", "whatever")):
        town.write(FOOTER, by="bob", subject=subject, text=text)
        assert "  Bob's news\r\n" in answered(town)
    town.write(FOOTER, by="bob", text="Other words")
    assert "was changed" in answered(town) and find_footer(town.tx, "bob") == "Other words"
    town.write(FOOTER, by="bob", subject=" None ")
    assert "is taken away" in answered(town) and find_footer(town.tx, "bob") == ""
    town.write(FOOTER, by="bob", text="none\r\n")
    assert "There was none" in answered(town)
    assert [event["octets"] for event in town.events("footer-set")] == [31, 11]


def test_a_footer_that_cannot_be_one_changes_nothing(town: Town) -> None:
    town.write(FOOTER, by="bob", text="Good words")
    town.fetch()
    town.write(FOOTER, by="bob", text="x\r\n" * 11)
    said = answered(town)
    assert "is not taken as the footer: it has 11 lines: 10 at most." in said and "  Good words" in said
    assert find_footer(town.tx, "bob") == "Good words"


def test_nobody_else_changes_it(town: Town) -> None:
    town.write(FOOTER, by="alice", text="Alice was here")
    (helped,) = town.fetch(NAMES.timeline("alice"))
    assert "How to follow" in helped.headers.get("subject") and "You own it" not in helped.text
    assert town.write(FOOTER, by="bob@fabric.test", sender=EVE, text="Eve").outcome == Delivered(
        "2.0.0 Ok"
    )  # From alone
    town.write(FOOTER, by=EVE, text="Eve was here")
    assert find_footer(town.tx, "bob") == "" and not town.events("footer-set")


def test_a_machine_and_a_repeat_change_nothing(town: Town) -> None:
    town.write(FOOTER, by="bob", text="I am away", fields={"Auto-Submitted": "auto-replied"})
    assert find_footer(town.tx, "bob") == "" and town.fetch() == []
    town.write(FOOTER, by="bob", text="First")
    town.fetch()
    town.write(FOOTER, by="bob", text="First", repeat=True)
    assert town.fetch() == []


def test_a_post_carries_the_words_that_held_when_it_was_numbered(town: Town) -> None:
    town.control("bob", Subscribe("bob", EVE))
    town.fetch()
    for words in ("First", "", "Second"):
        town.write(FOOTER, by="bob", subject="" if words else "none", text=words)
        town.write(BOB, by="bob", subject="news", text="news", fields={FIELD: "Rm9yZ2Vk"})
    posts = [mail for mail in town.fetch() if mail.post]
    assert [(mail.to, footer_of(mail.headers)) for mail in posts] == [
        (to, words) for words in ("First", "", "Second") for to in ("bob+leaf@host-1.fabric.test", EVE)
    ]
    assert all(len(mail.headers.all(FIELD)) <= 1 and mail.text == "news" for mail in posts)


def test_it_goes_with_the_source(town: Town) -> None:
    town.write(FOOTER, by="bob", text="Words")
    town.control("bob", CreateSource("bob", "bob", "A new title"))
    assert find_footer(town.tx, "bob") == "Words"
    town.control("bob", RemoveSource("bob"))
    town.control("bob", CreateSource("bob", "bob", "Another Bob"))
    assert find_footer(town.tx, "bob") == "" and town.tx.all("SELECT 1 FROM footer") == []


def test_the_owners_help_names_it(town: Town) -> None:
    town.write("bob+help@reflectors.fabric.test", by="bob")
    (helped,) = town.fetch(NAMES.timeline("bob"))
    assert FOOTER in helped.text and "bob+senders@" in helped.text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\r\n\r\n Words \r\n\r\n--\r\nBob\r\n", " Words"),
        (b"\r\n-- \r\nWords\r\nmore\r\n-- \r\nBob\r\n", "Words\nmore"),
        (b"\r\n___\r\nWords\r\n", "___\nWords"),
        (b"\r\n", ""),
        (b"\r\n-- \r\n", ""),
        (b"Content-Type: text/html\r\n\r\n<p>Words</p>", "Words"),
    ],
)
def test_a_clients_signature_is_no_footer(content: bytes, text: str) -> None:
    assert written(content).strip("\n").removeprefix(" ").strip() == text.strip()


@given(st.binary(max_size=300))
def test_reading_never_raises(content: bytes) -> None:
    written(content)
