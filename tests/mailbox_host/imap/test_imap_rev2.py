"""IMAP4rev2 (RFC 9051), a test for each thing that Appendix E says is not as it was; and names in UTF-8 (RFC 6855)."""

from __future__ import annotations

import re

import pytest

MESSAGE = b"From: bob@example.org\r\nSubject: hello\r\n\r\nHello.\r\n"


@pytest.fixture
def client(talk):
    """Speaks IMAP4rev2, and has a message."""
    client = talk()
    client.file(MESSAGE)
    assert client("0 ENABLE IMAP4rev2") == ["* ENABLED IMAP4rev2", "0 OK Done"]
    return client


@pytest.fixture
def modern(talk):
    """Speaks IMAP4rev1, with UTF-8."""
    client = talk()
    assert client("0 ENABLE UTF8=ACCEPT") == ["* ENABLED UTF8=ACCEPT", "0 OK Done"]
    return client


def test_both_revisions_are_offered_and_the_first_is_spoken(stranger, talk):
    assert stranger()("a CAPABILITY")[0].startswith("* CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ ")
    client = talk()
    client.file(MESSAGE)
    answer = client("a SELECT INBOX")
    assert "* 1 RECENT" in answer and not any(line.startswith("* LIST") for line in answer)
    assert client("b SEARCH ALL")[0] == "* SEARCH 1"
    assert client("c ENABLE X-NOTHING IMAP4REV2 imap4rev2")[0] == "* ENABLED IMAP4rev2"
    assert client("d ENABLE IMAP4rev2")[0] == "* ENABLED"
    assert client("e SEARCH ALL")[0].startswith("* ESEARCH")


def test_rev2_may_come_late(talk):
    client = talk()
    client.file(MESSAGE)
    client("a SELECT INBOX")
    client("b ENABLE IMAP4rev2")
    assert client("c FETCH 1 FLAGS")[0] == "* 1 FETCH (FLAGS ())"


def test_rev2_does_not_turn_condstore_on(client):
    client("a SELECT INBOX")
    assert "MODSEQ" not in client("b STORE 1 +FLAGS (\\Seen)")[0]


def test_what_is_folded_in_is_there(client):
    """E 2: no capability has to be looked for."""
    assert client("a NAMESPACE")[0] == '* NAMESPACE (("" "/")) NIL NIL'
    client("b SELECT INBOX")
    assert client("c SEARCH RETURN (SAVE) ALL") == ["c OK Saved"]
    assert client("d UID MOVE $ Trash")[0].startswith("* OK [COPYUID ")  # E 7
    assert client("e UNSELECT") == ["e OK Done"]
    client("f CREATE Parent/Child")
    assert client('g LIST (SUBSCRIBED) "" * RETURN (CHILDREN STATUS (MESSAGES))')[-1] == "g OK Done"
    assert client('h LIST "" Parent')[0] == '* LIST (\\HasChildren) "/" "Parent"'
    assert client('i LIST "" Trash RETURN (STATUS (MESSAGES))')[:2] == [
        '* LIST (\\HasNoChildren \\Trash) "/" "Trash"',
        '* STATUS "Trash" (MESSAGES 1)',
    ]


def test_status_has_size_and_deleted(client):
    """E 3."""
    client.file(MESSAGE, flags=8)
    wanted = f'* STATUS "INBOX" (MESSAGES 2 DELETED 1 SIZE {2 * len(MESSAGE)})'
    assert client("a STATUS INBOX (MESSAGES DELETED SIZE)")[0] == wanted


def test_every_search_is_answered_with_esearch(client):
    """E 4."""
    client.file(MESSAGE, flags=1)
    client("a SELECT INBOX")
    assert client("b SEARCH ALL") == ['* ESEARCH (TAG "b") ALL 1:2', "b OK Done"]
    assert client("c UID SEARCH SEEN") == ['* ESEARCH (TAG "c") UID ALL 2', "c OK Done"]
    assert client("d SEARCH FLAGGED") == ['* ESEARCH (TAG "d")', "d OK Done"]
    assert client("e SEARCH RETURN () CHARSET UTF-8 UNSEEN")[0] == '* ESEARCH (TAG "e") ALL 1'
    assert client("f SEARCH RETURN (COUNT) ALL")[0] == '* ESEARCH (TAG "f") COUNT 2'


def test_copy_makes_no_mailbox_but_says_it_could_be_made(client):
    """E 8."""
    client("a SELECT INBOX")
    for command in ("COPY 1", "MOVE 1", "UID COPY 1", "UID MOVE 1"):
        assert client(f"b {command} nowhere")[-1].startswith("b NO [TRYCREATE]")
    assert client("c STATUS nowhere (MESSAGES)")[-1].startswith("c NO [NONEXISTENT]")


def test_select_says_that_the_one_before_is_closed(client):
    """E 9: also where it fails."""
    assert not any("CLOSED" in line for line in client("a SELECT INBOX"))
    assert client("b EXAMINE Sent")[0].startswith("* OK [CLOSED]")
    assert client("c SELECT nowhere")[0].startswith("* OK [CLOSED]")
    assert client("d FETCH 1 FLAGS") == ["d BAD Not while authenticated"]


def test_select_lists_the_mailbox(client):
    """E 10, 11, 12: LIST comes, UNSEEN and RECENT do not."""
    answer = client("a SELECT inbox")
    assert '* LIST () "/" "INBOX"' in answer
    assert not any("UNSEEN" in line or "RECENT" in line for line in answer)
    assert '* LIST (\\Sent) "/" "Sent"' in client("b EXAMINE Sent")


def test_nothing_is_recent(client, talk):
    """E 12."""
    client("a SELECT INBOX")
    assert client("b FETCH 1 FLAGS")[0] == "* 1 FETCH (FLAGS ())"
    client.file(MESSAGE)
    assert client("c NOOP") == ["* 2 EXISTS", "c OK Done"]
    assert client("d SEARCH RECENT")[0] == '* ESEARCH (TAG "d")'
    assert client("e STATUS INBOX (RECENT)")[0] == '* STATUS "INBOX" (RECENT 0)'
    assert "* 2 RECENT" in talk()("a SELECT INBOX")  # and it was taken from nobody who would see it


def test_keywords_that_clients_know_are_offered(client):
    """E 13, 15: and a new one needs no new PERMANENTFLAGS."""
    answer = client("a SELECT INBOX")
    known = "\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded $Junk $MDNSent $NotJunk $Phishing"
    assert f"* FLAGS ({known})" in answer and f"* OK [PERMANENTFLAGS ({known} \\*)] Flags" in answer
    assert client("b STORE 1 FLAGS ($Forwarded $MDNSent)") == [
        "* 1 FETCH (UID 1 FLAGS ($Forwarded $MDNSent))",
        "b OK Done",
    ]


def test_names_are_in_utf8(client, talk):
    """E 16; a client of IMAP4rev1 sees the same names in modified UTF-7."""
    assert client('a CREATE "Entwürfe & mehr"')[-1].startswith("a OK")
    assert client('b LIST "" "Entw*"')[0] == '* LIST (\\HasNoChildren) "/" "Entwürfe & mehr"'
    assert client('c STATUS "Entwürfe & mehr" (MESSAGES)')[0] == '* STATUS "Entwürfe & mehr" (MESSAGES 0)'
    assert '* LIST () "/" "Entwürfe & mehr"' in client('d SELECT "Entwürfe & mehr"')
    assert client(b"e EXAMINE {16+}\r\nEntw\xc3\xbcrfe & mehr\r\n")[-1].startswith("e OK")
    assert talk()('a LIST "" Entw*')[0] == '* LIST (\\HasNoChildren) "/" "Entw&APw-rfe &- mehr"'
    assert client("f CREATE &APw-")[-1].startswith("f OK")  # is what it looks like
    assert talk()('a LIST "" "&-*"')[0].endswith('"&-APw-"')


def test_a_name_that_cannot_be_closes_the_mailbox_before(talk):
    client = talk()
    client("a SELECT INBOX")
    assert client('b SELECT "Müll"')[-1].startswith("b NO [NONEXISTENT]")
    assert client("c FETCH 1 FLAGS") == ["c BAD Not while authenticated"]


def test_what_is_no_utf8_is_no_name(client):
    assert client(b'a CREATE "\xff"\r\n') == ["a NO [CANNOT] not UTF-8"]
    assert client(b'b CREATE "a\xe2\x80\xa8b"\r\n')[-1].startswith("b NO [CANNOT]")  # a line separator
    assert client(b'c CREATE "a\xc2\x85b"\r\n')[-1].startswith("c NO [CANNOT]")
    assert client(b'd LIST "" "\xff"\r\n') == ["d OK Done"]


def test_a_name_is_stored_composed_and_its_client_is_told(client):
    """5.1, 6.3.9.7."""
    composed, other = "Caf\u00e9", "Cafe\u0301"
    told = f'"/" "{composed}" ("OLDNAME" ("{other}"))'
    assert client(f'a CREATE "{other}"')[0] == f"* LIST () {told}"
    assert f"* LIST () {told}" in client(f'b SELECT "{other}"')
    assert f'* LIST () "/" "{composed}"' in client(f'c SELECT "{composed}"')
    assert client(f'd CREATE "{composed}"')[-1].startswith("d NO [ALREADYEXISTS]")
    assert client(f'e SUBSCRIBE "{other}"')[0] == f"* LIST () {told}"
    assert client(f'f LIST "" "{other}"')[0] == f'* LIST (\\HasNoChildren) "/" "{composed}"'
    client("g UNSELECT")
    renamed = client(f'h RENAME "{other}" Coffee')
    assert renamed == [f'* LIST () "/" "Coffee" ("OLDNAME" ("{other}"))', "h OK Done"]
    client(f'i RENAME Coffee "{composed}"')
    assert client(f'j DELETE "{other}"')[0] == f"* LIST (\\NonExistent) {told}"


def test_who_speaks_rev1_is_told_nothing_of_other_spellings(talk):
    client = talk()
    assert client("a CREATE Cafe&AwE-") == ["a OK [MAILBOXID (F7)] Done"]
    assert client('b LIST "" Caf*')[0].endswith('"Caf&AOk-"')
    assert client("c SELECT Cafe&AwE-")[-1].startswith("c OK")


def test_what_is_gone_from_rev2_still_answers(client):
    """E 17, 18, 19: older words do no harm."""
    client("a SELECT INBOX")
    assert client("b CHECK") == ["b OK Done"]
    assert client("c FETCH 1 RFC822.SIZE")[0] == f"* 1 FETCH (RFC822.SIZE {len(MESSAGE)})"
    assert client("d FETCH 1 RFC822.HEADER")[0].startswith("* 1 FETCH (RFC822.HEADER {")
    assert client('e LSUB "" *')[-1] == "e OK Done"


def test_idle_tells_without_recent(client):
    """E 20."""
    client("a SELECT INBOX")
    assert client("b IDLE") == ["+ idling"]
    client.file(MESSAGE)
    assert client.news() == ["* 2 EXISTS"]
    assert client("DONE") == ["b OK Idle done"]


def test_unsolicited_flags_come_with_the_uid(client, talk):
    """E 21."""
    client("a SELECT INBOX")
    other = talk()
    other("a SELECT INBOX")
    other("b STORE 1 +FLAGS (\\Flagged)")
    assert client("b NOOP")[0] == "* 1 FETCH (UID 1 FLAGS (\\Flagged))"


def test_a_level_without_mailbox_is_nonexistent(client):
    client("a CREATE one/two")
    client("b DELETE one")
    assert client('c LIST "" one')[0] == '* LIST (\\NonExistent \\HasChildren) "/" "one"'
    assert client("d SELECT one")[-1].startswith("d NO [NONEXISTENT]")


def test_response_codes_say_why(client):
    """RFC 5530, folded in."""
    assert client("a CREATE Sent")[-1].startswith("a NO [ALREADYEXISTS]")
    assert client("b DELETE nowhere")[-1].startswith("b NO [NONEXISTENT]")
    assert client("c DELETE INBOX")[-1].startswith("c NO [CANNOT]")
    assert client("d RENAME nowhere x")[-1].startswith("d NO [NONEXISTENT]")
    assert client("e RENAME Sent Drafts")[-1].startswith("e NO [ALREADYEXISTS]")
    assert client("f CREATE a//b")[-1].startswith("f NO [CANNOT]")


def test_utf8_accept_is_for_names_and_searches(modern):
    assert modern('a CREATE "Müll"')[-1].startswith("a OK")
    assert modern('b LIST "" "M*"')[0] == '* LIST (\\HasNoChildren) "/" "Müll"'
    modern.file("Subject: Grüße\r\n\r\nx\r\n".encode())
    answer = modern("c SELECT INBOX")
    assert "* 1 RECENT" in answer and not any(line.startswith("* LIST") for line in answer)  # it is still rev1
    assert modern('d SEARCH SUBJECT "grüße"')[0] == "* SEARCH 1"
    assert modern('e SEARCH CHARSET UTF-8 SUBJECT "grüße"') == ["e BAD [CLIENTBUG] Searches are in UTF-8 now"]
    assert modern(b'f SEARCH SUBJECT "\xff"\r\n')[-1].startswith("f BAD")


def test_modified_utf7_stays_for_who_asks_for_nothing(talk):
    client = talk()
    assert client('a CREATE "Müll"')[-1].startswith("a NO [CANNOT]")
    assert client("b CREATE M&APw-ll")[-1].startswith("b OK")
    assert re.search('"M&APw-ll"$', client('c LIST "" "M&APw-*"')[0])
