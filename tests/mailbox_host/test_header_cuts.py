"""What clients were heard to ask is kept: these are their own lines, as they came over the wire."""

from __future__ import annotations

import pytest

from mailbox_host.header_cuts import KINDS, MOST_WANTED, cut

HEARD = {
    "Thunderbird 153": "From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To "
    "Content-Type Reply-To Received",
    "neomutt 20220429": "DATE FROM SENDER SUBJECT TO CC MESSAGE-ID REFERENCES CONTENT-TYPE CONTENT-DESCRIPTION "
    "IN-REPLY-TO REPLY-TO LINES LIST-POST LIST-SUBSCRIBE LIST-UNSUBSCRIBE X-LABEL X-ORIGINAL-TO",
    "mbsync": "X-TUID Message-ID",
}


@pytest.mark.parametrize("names", HEARD.values(), ids=HEARD)
def test_it_is_kept_once_for_everyone(names: str) -> None:
    assert frozenset(names.upper().encode().split()) in KINDS


def test_every_set_has_a_number_of_its_own() -> None:
    assert sorted(KINDS.values()) == list(range(1, len(KINDS) + 1))


def test_what_is_searched_is_what_thunderbird_has_kept() -> None:
    assert frozenset(HEARD["Thunderbird 153"].upper().encode().split()) == MOST_WANTED


def test_a_cut_is_the_fields_as_they_stand() -> None:
    header = b"Received: a\r\n\tb\r\nX-Other: c\r\nsubject: d\r\n"
    assert cut(header, frozenset({b"RECEIVED", b"SUBJECT"})) == b"Received: a\r\n\tb\r\nsubject: d\r\n\r\n"
