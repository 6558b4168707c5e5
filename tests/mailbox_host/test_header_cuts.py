"""What clients ask is kept: these are their own lines, as they came over the wire or stand in their sources."""

from __future__ import annotations

import pytest

from mailbox_host.header_cuts import KINDS, MOST_WANTED, cut

HEARD = {
    "Thunderbird 153": "From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To "
    "Content-Type Reply-To Received",
    "neomutt 20220429": "DATE FROM SENDER SUBJECT TO CC MESSAGE-ID REFERENCES CONTENT-TYPE CONTENT-DESCRIPTION "
    "IN-REPLY-TO REPLY-TO LINES LIST-POST LIST-SUBSCRIBE LIST-UNSUBSCRIBE X-LABEL X-ORIGINAL-TO",
    "mbsync": "X-TUID Message-ID",
    "K-9": "date subject from content-type to cc bcc reply-to message-id references in-reply-to list-post "
    "list-unsubscribe sender X-K9mail-Identity Chat-Version",
    "Apple Mail": "date subject from to cc message-id in-reply-to references content-type x-priority "
    "x-uniform-type-identifier x-universally-unique-identifier list-id list-unsubscribe bimi-indicator bimi-location "
    "x-bimi-indicator-hash authentication-results dkim-signature",
}


@pytest.mark.parametrize("names", HEARD.values(), ids=HEARD)
def test_it_is_kept_once_for_everyone(names: str) -> None:
    assert frozenset(names.upper().encode().split()) in KINDS


def test_every_set_has_a_number_of_its_own() -> None:
    assert len(set(KINDS.values())) == len(KINDS)
    assert not {3, 1000} & set(KINDS.values()), "taken by something else, once or now"


def test_what_is_searched_is_what_thunderbird_has_kept() -> None:
    assert frozenset(HEARD["Thunderbird 153"].upper().encode().split()) == MOST_WANTED


def test_a_cut_is_the_fields_as_they_stand() -> None:
    header = b"Received: a\r\n\tb\r\nX-Other: c\r\nsubject: d\r\n"
    assert cut(header, frozenset({b"RECEIVED", b"SUBJECT"})) == b"Received: a\r\n\tb\r\nsubject: d\r\n\r\n"
