"""Transcripts: states, signing in, mailboxes by name."""

from __future__ import annotations

import base64

import pytest

from mailbox_host.imap import dispatch

MESSAGE = b"From: bob@example.org\r\nSubject: hello\r\n\r\nHello.\r\n"


def test_a_greeting_tells_what_works(stranger):
    session = stranger(tls_offered=True, secure=False).session
    greeting = dispatch.greet(session).decode()
    assert greeting.startswith("* OK [CAPABILITY IMAP4rev1 ")
    assert "STARTTLS LOGINDISABLED]" in greeting and "AUTH=PLAIN" not in greeting
    assert "AUTH=PLAIN]" in dispatch.greet(stranger().session).decode()


def test_login_capability_logout(stranger):
    client = stranger()
    assert client("a LOGIN alice wrong") == ["a NO [AUTHENTICATIONFAILED] Wrong name or password"]
    answer = client('b LOGIN alice "secret"')
    assert answer[0].startswith("b OK [CAPABILITY IMAP4rev1 ") and " IDLE " in answer[0]
    assert client("c LOGIN alice secret") == ["c BAD Not while authenticated"]
    assert client("d LOGOUT") == ["* BYE Goodbye", "d OK Done"]
    assert client.closed


def test_login_by_address_and_by_literal(stranger):
    assert stranger()("a LOGIN Alice@Fabric.Test secret")[0].startswith("a OK")
    client = stranger()
    assert client("a LOGIN {5}") == ["+ go"]
    assert client("alice {6}") == ["+ go"]
    assert client("secret")[0].startswith("a OK")
    assert client.session.account == "alice"


@pytest.mark.parametrize("initial", [True, False])
def test_authenticate_plain(stranger, initial):
    client = stranger()
    response = base64.b64encode(b"\0alice\0secret").decode()
    if initial:
        answer = client(f"a AUTHENTICATE PLAIN {response}")
    else:
        assert client("a AUTHENTICATE PLAIN") == ["+ "]
        answer = client(response)
    assert answer[0].startswith("a OK")


def test_authenticate_cancelled_or_wrong(stranger):
    client = stranger()
    client("a AUTHENTICATE PLAIN")
    assert client("*") == ["a BAD Cancelled"]
    assert client("a AUTHENTICATE PLAIN !!!") == ["a BAD expected base64"]
    assert client("a AUTHENTICATE PLAIN =") == ["a BAD Not a PLAIN response"]
    assert client("a AUTHENTICATE CRAM-MD5") == ["a NO No such mechanism"]
    other = base64.b64encode(b"bob\0alice\0secret").decode()
    assert client(f"a AUTHENTICATE PLAIN {other}") == ["a NO [AUTHORIZATIONFAILED] Nobody may act for another"]


def test_no_password_in_the_clear(stranger):
    client = stranger(secure=False, tls_offered=True)
    assert client("a LOGIN alice secret") == ["a NO [PRIVACYREQUIRED] Use TLS first"]
    assert client("b AUTHENTICATE PLAIN AGEAYgBj") == ["b NO [PRIVACYREQUIRED] Use TLS first"]
    assert client(b"c STARTTLS\r\nd LOGIN eve injected\r\n") == ["c OK Begin TLS now"]
    assert client("e CAPABILITY") == [
        "* CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE AUTH=PLAIN",
        "e OK Done",
    ]
    assert client("f STARTTLS") == ["f BAD TLS is not offered here"]


def test_states_are_kept(stranger):
    client = stranger()
    assert client("a SELECT INBOX") == ["a BAD Not while not authenticated"]
    client.sign_in()
    assert client("b FETCH 1 FLAGS") == ["b BAD Not while authenticated"]
    assert client("c NOOP") == ["c OK Done"]


def test_who_talks_nonsense_is_told_bye(stranger):
    client = stranger()
    lines = client(b"GET / HTTP/1.1\r\n" * 30)
    assert lines[0] == "GET BAD expected a word"
    assert lines[-1] == "* BYE Too many bad commands" and client.closed


def test_large_literals(stranger):
    client = stranger()
    assert client(b"a LOGIN {4294967295}\r\n" * 5) == ["a NO [TOOBIG] Literal too large"] * 5
    assert client(b"a LOGIN {" + b"9" * 30 + b"}\r\n") == ["a NO [TOOBIG] Literal too large"]
    assert client(b"a LOGIN {4294967295+}\r\n") == ["* BYE [TOOBIG] Literal too large"]
    assert client.closed


def test_what_follows_a_literal_of_absurd_size_is_never_taken_for_commands(stranger):
    client = stranger()
    assert client(b"a LOGIN {" + b"9" * 30 + b"+}\r\nb LOGOUT\r\n") == ["* BYE [TOOBIG] Literal too large"]


def test_id_enable_namespace(talk):
    client = talk()
    assert client('a ID ("name" "test" "vendor" NIL)') == ['* ID ("name" "Heliograph" "version" "0.1")', "a OK Done"]
    assert client.session.client == {b"name": b"test"}
    assert client("b ENABLE FOO CONDSTORE") == ["* ENABLED CONDSTORE", "b OK Done"]
    assert client("c NAMESPACE") == ['* NAMESPACE (("" "/")) NIL NIL', "c OK Done"]


def test_list(talk):
    client = talk()
    assert client('a LIST "" ""') == ['* LIST (\\Noselect) "/" ""', "a OK Done"]
    assert client('b LIST "" *') == [
        '* LIST (\\HasNoChildren) "/" "INBOX"',
        '* LIST (\\HasNoChildren \\Archive) "/" "Archive"',
        '* LIST (\\HasNoChildren \\Drafts) "/" "Drafts"',
        '* LIST (\\HasNoChildren \\Junk) "/" "Junk"',
        '* LIST (\\HasNoChildren \\Sent) "/" "Sent"',
        '* LIST (\\HasNoChildren \\Trash) "/" "Trash"',
        "b OK Done",
    ]
    assert client("c CREATE Lists/Python/dev")[-1] == "c OK [MAILBOXID (F9)] Done"
    assert client('d LIST "" Lists/%') == ['* LIST (\\HasChildren) "/" "Lists/Python"', "d OK Done"]
    assert client("e LIST Lists/ %/dev") == ['* LIST (\\HasNoChildren) "/" "Lists/Python/dev"', "e OK Done"]


def test_list_extended(talk):
    client = talk()
    client("a CREATE Lists/Python")
    client("b SUBSCRIBE Lists/Python")
    assert client('c LIST (SUBSCRIBED) "" Lists/*') == [
        '* LIST (\\HasNoChildren \\Subscribed) "/" "Lists/Python"',
        "c OK Done",
    ]
    assert client('d LIST (SUBSCRIBED RECURSIVEMATCH) "" Lists') == [
        '* LIST (\\HasChildren) "/" "Lists" ("CHILDINFO" ("SUBSCRIBED"))',
        "d OK Done",
    ]
    assert client('e LIST (SPECIAL-USE) "" (S* T*)') == [
        '* LIST (\\HasNoChildren \\Sent) "/" "Sent"',
        '* LIST (\\HasNoChildren \\Trash) "/" "Trash"',
        "e OK Done",
    ]
    assert client('f LIST "" Sent RETURN (SUBSCRIBED STATUS (MESSAGES UNSEEN))') == [
        '* LIST (\\HasNoChildren \\Subscribed \\Sent) "/" "Sent"',
        '* STATUS "Sent" (MESSAGES 0 UNSEEN 0)',
        "f OK Done",
    ]
    client("x DELETE Lists/Python")
    assert client('y LIST (SUBSCRIBED) "" Lists/*') == [
        '* LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" "Lists/Python"',
        "y OK Done",
    ]
    assert client('g LIST (RECURSIVEMATCH) "" *')[0].startswith("g BAD")


def test_lsub(talk):
    client = talk()
    client("a CREATE Lists/Python")
    client("b SUBSCRIBE Lists/Python")
    client("c UNSUBSCRIBE Trash")
    names = [line.split('"/" ')[1] for line in client('d LSUB "" *')[:-1]]
    assert '"Lists/Python"' in names and '"Trash"' not in names
    assert '* LSUB (\\Noselect) "/" "Lists"' in client('e LSUB "" %')


def test_create_rename_delete(talk, clean):
    client = talk()
    assert client("a CREATE Entw&APw-rfe/") == ["a OK [MAILBOXID (F7)] Done"]
    assert client("b CREATE Entw&APw-rfe")[0].startswith("b NO [ALREADYEXISTS]")
    assert client('c LIST "" Entw*')[0] == '* LIST (\\HasNoChildren) "/" "Entw&APw-rfe"'
    assert client("d RENAME Entw&APw-rfe Neu/Kiste") == ["d OK Done"]
    assert client("e STATUS Neu/Kiste (MESSAGES UIDNEXT)") == [
        '* STATUS "Neu/Kiste" (MESSAGES 0 UIDNEXT 1)',
        "e OK Done",
    ]
    assert client("f DELETE Neu/Kiste") == ["f OK Done"]
    assert client("g SELECT Neu/Kiste") == ["g NO [NONEXISTENT] No such mailbox"]
    assert client("h DELETE inbox")[0].startswith("h NO [CANNOT]")
    assert client("i DELETE nowhere")[0].startswith("i NO [NONEXISTENT]")
    assert client("j RENAME nowhere x")[0].startswith("j NO [NONEXISTENT]")
    assert client('k CREATE "a//b"')[0].startswith("k NO [CANNOT]")
    assert client("l CREATE Old (USE (\\Archive))") == ["l OK [MAILBOXID (F9)] Done"]
    assert client("m CREATE Every (USE (\\All))")[0].startswith("m NO [USEATTR]")


def test_rename_inbox_moves_what_it_held(talk):
    client = talk()
    client.file(MESSAGE)
    assert client("a RENAME INBOX Old") == ["a OK Done"]
    assert client("b STATUS Old (MESSAGES)")[0] == '* STATUS "Old" (MESSAGES 1)'
    assert client("c STATUS INBOX (MESSAGES)")[0] == '* STATUS "INBOX" (MESSAGES 0)'


def test_status(talk):
    client = talk()
    client.file(MESSAGE)
    client.file(MESSAGE, flags=1 | 8)
    answer = client("a STATUS INBOX (MESSAGES RECENT UIDNEXT UNSEEN SIZE DELETED)")
    size = 2 * len(MESSAGE)
    assert answer == [f'* STATUS "INBOX" (MESSAGES 2 RECENT 2 UIDNEXT 3 UNSEEN 1 SIZE {size} DELETED 1)', "a OK Done"]
    assert client("b STATUS nowhere (MESSAGES)") == ["b NO [NONEXISTENT] No such mailbox"]


def test_a_removed_account_ends_its_sessions(talk, store):
    from mailbox_host import accounts

    client = talk()
    store.write_now(lambda tx: accounts.remove(tx, "alice"))
    assert client("a CREATE x") == ["* BYE The account was removed"]
    assert client.closed
