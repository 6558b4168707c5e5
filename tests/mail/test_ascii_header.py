"""A header beyond ASCII in ASCII: readers see the same, and nothing else changes."""

from __future__ import annotations

import email
import email.policy
import time
from email.headerregistry import AddressHeader

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.ascii_header import ascii_header


def said(line: str) -> str:
    """One field's value, unfolded as a reader does."""
    made = ascii_header((line + "\r\n").encode())
    assert made.isascii() and max(map(len, made.split(b"\r\n"))) <= 100
    return str(next(iter(email.message_from_bytes(made, policy=email.policy.SMTP).values())))


@pytest.mark.parametrize(
    "text", ["Grüße", "a" * 60 + "ü", "日本語" * 40, "x=?utf-8?q?=41?= ü", "ü\r\n folded", "Ünter\t den Linden"]
)
def test_words_are_read_as_they_were_written(text: str) -> None:
    assert said(f"Subject: {text}") == text.replace("\r\n", "")


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("Bób <bob@b.test>", [("Bób", "bob@b.test")]),
        ("Bób von Ä <bob@b.test>, c@b.test", [("Bób von Ä", "bob@b.test"), ("", "c@b.test")]),
        ('"Bób, \\"Ä" <bob@b.test>', [('Bób, "Ä', "bob@b.test")]),
        ("bob@b.test (Bób)", [("", "bob@b.test")]),
        ("bob@b.test, jürgen@b.test", [("", "bob@b.test")]),
        ("Jürgen <jürgen@bücher.test>, c@b.test", [("", "c@b.test")]),
    ],
)
def test_addresses_stay_and_names_are_encoded(written: str, names: list[tuple[str, str]]) -> None:
    made = ascii_header(f"To: {written}\r\n".encode())
    field = email.message_from_bytes(made, policy=email.policy.SMTP)["to"]
    assert isinstance(field, AddressHeader)
    assert [(one.display_name, one.addr_spec) for one in field.addresses] == names


def test_an_address_that_cannot_be_written_is_still_shown() -> None:
    assert b"=?utf-8?b?asO8cmdlbkBiLnRlc3Q=?= :;" in ascii_header("To: a@b.test, jürgen@b.test\r\n".encode())


def test_a_file_keeps_its_name() -> None:
    made = ascii_header('Content-Disposition: attachment; filename="grün; 1.txt"; size=3\r\n'.encode())
    part = email.message_from_bytes(made)
    assert part.get_filename() == "grün; 1.txt" and b"; size=3" in made


def test_what_is_ascii_and_what_is_for_machines_stays() -> None:
    block = b"X-A:  b\r\n\tc \r\nMessage-ID: <\xc3\xbc@x>\r\nS\xc3\xbc\r\nSubject: \xfc\r\n\r\n"
    assert ascii_header(block) == b"X-A:  b\r\n\tc \r\nMessage-ID: <?@x>\r\nS?\r\nSubject: =?utf-8?b?w7w=?=\r\n\r\n"


@given(st.sampled_from(["Subject", "To", "Content-Type", "Received", "X"]), st.text(max_size=80))
def test_no_text_starts_another_field(name: str, text: str) -> None:
    text = text.replace("\r", "").replace("\n", "")
    made = ascii_header(f"{name}: ü{text}\r\nLast: ü\r\n\r\n".encode())
    assert made.isascii() and made.count(b"\r\n\r\n") == 1
    assert [key for key, _ in email.message_from_bytes(made).items()] == [name, "Last"]


@pytest.mark.parametrize("piece", ['"', "(", "<", "a ", "a@", ",", ";a=", " ", '\\"', "ü", "; "])
def test_no_field_takes_long(piece: str) -> None:
    began = time.process_time()
    for name in ("To", "Content-Type", "Subject"):
        ascii_header(f"{name}: {piece * (200_000 // len(piece))}ü\r\n".encode())
    assert time.process_time() - began < 3  # each some 50 ms; a quadratic one takes minutes
