"""Transcripts: a selected mailbox, alone and with others at work in it."""

from __future__ import annotations

import re

import pytest

from mailbox_host import entries, folders
from mailbox_host.imap import change
from mailbox_host.imap.effects import Write

MESSAGE = (
    b"Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nFrom: Fred <fred@example.org>\r\nSubject: afternoon meeting\r\n"
    b"To: mooch@example.org\r\nMessage-Id: <B27397@example.org>\r\n\r\nHello Joe.\r\nBye.\r\n"
)
FLAGS = "\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded $Junk $MDNSent $NotJunk $Phishing"
MULTIPART = (
    b"Subject: two\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n"
    b"--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninside\r\n--x--\r\n"
)


def filled(talk, count=3, **options):
    client = talk()
    for _ in range(count):
        client.file(MESSAGE, **options)
    return client


def test_select(talk, clean):
    client = talk()
    client.file(MESSAGE, flags=1)
    client.file(MESSAGE, keywords=frozenset({"$Junk"}))
    assert clean(client("a SELECT INBOX")) == [
        f"* FLAGS ({FLAGS})",
        "* 2 EXISTS",
        "* 2 RECENT",
        f"* OK [PERMANENTFLAGS ({FLAGS} \\*)] Flags",
        "* OK [UNSEEN 2] First unseen",
        "* OK [UIDVALIDITY n] UIDs valid",
        "* OK [UIDNEXT 3] Next UID",
        "* OK [HIGHESTMODSEQ 3] Highest",
        "* OK [MAILBOXID (F1)] Id",
        "a OK [READ-WRITE] Done",
    ]
    answer = client("b EXAMINE Sent")
    assert answer[0] == "* OK [CLOSED] Previous mailbox closed" and answer[-1] == "b OK [READ-ONLY] Done"
    assert "* OK [PERMANENTFLAGS ()] Flags" in answer
    assert client("c SELECT nowhere")[-1] == "c NO [NONEXISTENT] No such mailbox"
    assert client("d FETCH 1 FLAGS") == ["d BAD Not while authenticated"]  # RFC 3501 6.3.1: a failed SELECT deselects


def test_fetch_what_is_known_of_messages(talk):
    client = filled(talk, 2)
    client("a SELECT INBOX")
    assert client("b FETCH 1:2 (UID RFC822.SIZE INTERNALDATE FLAGS)") == [
        f'* 1 FETCH (UID 1 RFC822.SIZE {len(MESSAGE)} INTERNALDATE "14-Nov-2023 22:13:20 +0000" FLAGS (\\Recent))',
        f'* 2 FETCH (UID 2 RFC822.SIZE {len(MESSAGE)} INTERNALDATE "14-Nov-2023 22:13:20 +0000" FLAGS (\\Recent))',
        "b OK Done",
    ]
    assert client("c UID FETCH 2:* FLAGS") == ["* 2 FETCH (UID 2 FLAGS (\\Recent))", "c OK Done"]
    assert client("d UID FETCH 99 FLAGS") == ["d OK Done"]
    assert client("e FETCH 3 FLAGS") == ["e BAD No such message"]
    assert client("f FETCH 1 ENVELOPE")[0] == (
        '* 1 FETCH (ENVELOPE ("Mon, 7 Feb 1994 21:52:25 -0800" "afternoon meeting" (("Fred" NIL "fred" "example.org")) '
        '(("Fred" NIL "fred" "example.org")) (("Fred" NIL "fred" "example.org")) ((NIL NIL "mooch" "example.org")) '
        'NIL NIL NIL "<B27397@example.org>"))'
    )
    assert client("g FETCH 1 BODY")[0].lower() == (
        '* 1 fetch (body ("text" "plain" ("charset" "us-ascii") nil nil "7bit" 18 2))'
    )


def test_fetch_sections(talk):
    client = talk()
    client.file(MULTIPART)
    client("a SELECT INBOX")

    def part(item):
        return "\r\n".join(client(f"b FETCH 1 {item}")[:-1])

    assert part("BODY.PEEK[HEADER.FIELDS (Subject)]") == (
        "* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {16}\r\nSubject: two\r\n\r\n)"
    )
    assert part("BODY.PEEK[HEADER.FIELDS.NOT (subject content-type)]") == (
        "* 1 FETCH (BODY[HEADER.FIELDS.NOT (SUBJECT CONTENT-TYPE)] {21}\r\nMIME-Version: 1.0\r\n\r\n)"
    )
    assert part("BODY.PEEK[1]") == '* 1 FETCH (BODY[1] "Gr=C3=BC=C3=9Fe")'
    assert part("BODY.PEEK[1]<3.4>") == '* 1 FETCH (BODY[1]<3> "C3=B")'
    assert part("BODY.PEEK[1]<99.4>") == '* 1 FETCH (BODY[1]<99> "")'
    assert part("BODY.PEEK[2.HEADER]") == "* 1 FETCH (BODY[2.HEADER] {18}\r\nSubject: inner\r\n\r\n)"
    assert part("BODY.PEEK[2.1]") == '* 1 FETCH (BODY[2.1] "inside")'
    assert part("BODY.PEEK[2.MIME]") == "* 1 FETCH (BODY[2.MIME] {32}\r\nContent-Type: message/rfc822\r\n\r\n)"
    assert part("BODY.PEEK[7]") == "* 1 FETCH (BODY[7] NIL)"
    assert part("BODY.PEEK[]<0.10>") == '* 1 FETCH (BODY[]<0> "Subject: t")'


def test_fetching_a_body_marks_it_seen(talk):
    client = filled(talk, 2)
    client("a SELECT INBOX")
    assert client("b FETCH 1 BODY.PEEK[TEXT]")[-2:] == [")", "b OK Done"]
    assert client("c FETCH 1 BODY[TEXT]")[-2:] == [" FLAGS (\\Seen \\Recent))", "c OK Done"]
    assert client("d FETCH 1 (RFC822.HEADER FLAGS)")[-2] == " FLAGS (\\Seen \\Recent))"
    client("e EXAMINE INBOX")
    assert "\\Seen" not in client("f FETCH 2 RFC822.TEXT")[-2]


def test_store(talk):
    client = filled(talk)
    other = talk()
    client("a SELECT INBOX")
    other("a SELECT INBOX")
    assert client("b STORE 1:2 +FLAGS (\\Seen $Todo)") == [
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded $Junk $MDNSent $NotJunk $Phishing $Todo)",
        "* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent $Todo))",
        "* 2 FETCH (UID 2 FLAGS (\\Seen \\Recent $Todo))",
        "b OK Done",
    ]
    assert client("c NOOP") == ["c OK Done"]  # what we did ourselves is told once
    assert other("b NOOP") == [
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded $Junk $MDNSent $NotJunk $Phishing $Todo)",
        "* 1 FETCH (UID 1 FLAGS (\\Seen $Todo))",
        "* 2 FETCH (UID 2 FLAGS (\\Seen $Todo))",
        "b OK Done",
    ]
    assert client("d UID STORE 2 -FLAGS.SILENT (\\Seen $Todo)") == ["d OK Done"]
    assert client("e FETCH 2 FLAGS")[0] == "* 2 FETCH (FLAGS (\\Recent))"
    assert client("f STORE 3 FLAGS \\Flagged")[0] == "* 3 FETCH (UID 3 FLAGS (\\Flagged \\Recent))"
    assert client("g STORE 4 FLAGS \\Flagged") == ["g BAD No such message"]
    client("h EXAMINE INBOX")
    assert client("i STORE 1 FLAGS ()")[0].startswith("i NO [READ-ONLY]")


def test_expunges_of_others_wait_for_their_moment(talk):
    client = filled(talk, 4)
    other = talk()
    client("a SELECT INBOX")
    other("a SELECT INBOX")
    assert other("b STORE 1,3 +FLAGS.SILENT \\Deleted") == ["b OK Done"]
    assert other("c EXPUNGE") == ["* 1 EXPUNGE", "* 2 EXPUNGE", "c OK Done"]
    # RFC 3501 7.4.1: not during FETCH, STORE, SEARCH: numbers stay what they were
    assert client("b FETCH 4 UID") == ["* 4 FETCH (UID 4)", "b OK Done"]
    assert client("c FETCH 1:4 UID") == [
        "* 2 FETCH (UID 2)",
        "* 4 FETCH (UID 4)",
        "c NO [EXPUNGEISSUED] Some of the messages no longer exist",
    ]
    assert client("d SEARCH ALL") == ["* SEARCH 2 4", "d OK Done"]
    client.file(MESSAGE)
    assert client("e STORE 4 +FLAGS.SILENT \\Seen") == ["* 5 EXISTS", "* 5 RECENT", "e OK Done"]
    assert client("f UID FETCH 4 UID") == ["* 4 FETCH (UID 4)", "* 1 EXPUNGE", "* 2 EXPUNGE", "f OK Done"]
    assert client("g FETCH 1:* UID") == ["* 1 FETCH (UID 2)", "* 2 FETCH (UID 4)", "* 3 FETCH (UID 5)", "g OK Done"]


def test_idle(talk):
    client = filled(talk, 1)
    client("a SELECT INBOX")
    assert client("b IDLE") == ["+ idling"]
    client.file(MESSAGE)
    assert client.news() == ["* 2 EXISTS", "* 2 RECENT"]
    assert client.news() == []
    other = talk()
    other("a SELECT INBOX")
    other("b STORE 1 +FLAGS.SILENT \\Deleted")
    assert client.news() == ["* 1 FETCH (UID 1 FLAGS (\\Deleted \\Recent))"]
    other("c EXPUNGE")
    assert client.news() == ["* 1 EXPUNGE"]
    assert client("done") == ["b OK Idle done"]
    client("c IDLE")
    assert client("NOOP") == ["c BAD Expected DONE"]


def test_recent_is_the_first_sessions(talk):
    first, second = filled(talk, 1), talk()
    assert "* 1 RECENT" in first("a EXAMINE INBOX")  # RFC 3501 6.3.2: looks, and takes nothing
    assert "* 1 RECENT" in first("b SELECT INBOX")
    assert "* 0 RECENT" in second("a SELECT INBOX")
    first.file(MESSAGE)
    assert second("b NOOP") == ["* 2 EXISTS", "* 1 RECENT", "b OK Done"]
    assert first("c NOOP") == ["* 2 EXISTS", "* 1 RECENT", "c OK Done"]
    assert first("d SEARCH RECENT") == ["* SEARCH 1", "d OK Done"]
    assert second("d SEARCH NEW") == ["* SEARCH 2", "d OK Done"]
    assert second("e SEARCH OLD") == ["* SEARCH 1", "e OK Done"]


def test_append(talk):
    client = talk()
    assert client(f'a APPEND Sent (\\Seen $Sent) "17-Jul-1996 02:44:25 -0700" {{{len(MESSAGE)}}}') == ["+ go"]
    answer = client(MESSAGE + b"\r\n")
    assert answer[0].startswith("a OK [APPENDUID ") and answer[0].endswith(" 1] Done")
    client("b SELECT Sent")
    assert client("c FETCH 1 (FLAGS INTERNALDATE)")[0] == (
        '* 1 FETCH (FLAGS (\\Seen \\Recent $Sent) INTERNALDATE "17-Jul-1996 09:44:25 +0000")'
    )
    assert client(b"d APPEND Sent {2+}\r\nhi\r\n")[:2] == ["* 2 EXISTS", "* 2 RECENT"]
    assert client(b"e APPEND nowhere {2+}\r\nhi\r\n") == ["e NO [TRYCREATE] No such mailbox"]
    assert client("f APPEND Sent {999999999}") == ["f NO [TOOBIG] Literal too large"]
    assert client(b"g APPEND Sent {0+}\r\n\r\n")[0].startswith("g NO")


def test_copy_and_move(talk):
    client = filled(talk)
    client("a SELECT INBOX")
    client("b STORE 2 +FLAGS.SILENT (\\Flagged x)")
    answer = client("c COPY 2:3 Archive")
    assert answer[0].startswith("c OK [COPYUID ") and answer[0].endswith(" 2:3 1:2] Done")
    answer = client("d UID MOVE 1:2 Archive")
    assert answer[0].startswith("* OK [COPYUID ") and " 1:2 3:4]" in answer[0]
    assert answer[1:] == ["* 1 EXPUNGE", "* 1 EXPUNGE", "d OK Done"]
    assert client("e COPY 1 nowhere") == ["e NO [TRYCREATE] No such mailbox"]
    assert client("f UID COPY 77 Archive") == ["f OK There was nothing to do"]
    client("g SELECT Archive")
    assert client("h FETCH 1:* (UID FLAGS)")[:-1] == [
        "* 1 FETCH (UID 1 FLAGS (\\Flagged \\Recent x))",
        "* 2 FETCH (UID 2 FLAGS (\\Recent))",
        "* 3 FETCH (UID 3 FLAGS (\\Recent))",
        "* 4 FETCH (UID 4 FLAGS (\\Flagged \\Recent x))",
    ]


def test_expunge_close_unselect(talk):
    client = filled(talk, 5)
    client("a SELECT INBOX")
    client("b STORE 1:4 +FLAGS.SILENT \\Deleted")
    assert client("c UID EXPUNGE 2:3,99") == ["* 2 EXPUNGE", "* 2 EXPUNGE", "c OK Done"]
    assert client("d UNSELECT") == ["d OK Done"]
    assert '* STATUS "INBOX" (MESSAGES 3)' in client("e STATUS INBOX (MESSAGES)")
    client("f EXAMINE INBOX")
    assert client("g EXPUNGE")[0].startswith("g NO [READ-ONLY]")
    assert client("h CLOSE") == ["h OK Done"]
    assert '* STATUS "INBOX" (MESSAGES 3)' in client("i STATUS INBOX (MESSAGES)")
    client("j SELECT INBOX")
    assert client("k CLOSE") == ["k OK Done"]
    assert '* STATUS "INBOX" (MESSAGES 1)' in client("l STATUS INBOX (MESSAGES)")


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ("ALL", "1 2 3"), ("SEEN", "1"), ("UNSEEN", "2 3"), ("NOT SEEN", "2 3"), ("KEYWORD todo", "2"),
        ("UNKEYWORD Todo", "1 3"), ("2:*", "2 3"), ("UID 1,3", "1 3"), ("NOT 2", "1 3"), ("OR 1 3", "1 3"),
        ("SUBJECT meeting", "1"), ("SUBJECT MEETING", "1"), ("FROM fred@", "1"), ("HEADER Message-Id B273", "1"),
        ('HEADER To ""', "1"), ("TO mooch UNSEEN", ""), ("BODY Joe", "1"), ("BODY inside", "2"), ("TEXT two", "2"),
        ("BODY meeting", ""), ("BODY inner", "2"), ("LARGER 150", "1 2"), ("SMALLER 100", "3"),
        ("ON 14-Nov-2023", "1 2 3"),
        ("BEFORE 14-Nov-2023", ""), ("SINCE 15-Nov-2023", ""), ("SENTON 7-Feb-1994", "1"), ("SENTSINCE 8-Feb-1994", ""),
        ("SENTBEFORE 1-Jan-2000", "1"), ("(SEEN) (1 ALL)", "1"), ("OR (SEEN 1) SUBJECT caf", "1 3"),
        ("YOUNGER 60", "1 2 3"),
    ],
)  # fmt: skip
def test_search(talk, keys, found):
    client = talk()
    client.file(MESSAGE, flags=1)
    client.file(MULTIPART, keywords=frozenset({"Todo"}))
    client.file(b"Subject: =?iso-8859-1?Q?Caf=E9_noir?=\r\n\r\nx\r\n")
    client("a SELECT INBOX")
    assert client(f"b SEARCH {keys}") == [f"* SEARCH {found}".rstrip(), "b OK Done"]


def test_search_in_utf_8(talk):
    client = talk()
    client.file(MULTIPART)
    client.file(b"Subject: =?utf-8?B?w4RwZmVs?=\r\n\r\nx")
    client("a SELECT INBOX")
    assert client("b UID SEARCH CHARSET UTF-8 BODY {7+}\r\nGrüße".encode() + b"\r\n")[0] == "* SEARCH 1"
    assert client("c SEARCH CHARSET UTF-8 SUBJECT {6+}\r\näpfel".encode() + b"\r\n")[0] == "* SEARCH 2"
    assert client("d SEARCH CHARSET KLINGON ALL") == ["d NO [BADCHARSET (US-ASCII UTF-8)] Charset not supported"]
    assert client("e SEARCH RETURN (MIN MAX COUNT) ALL")[0] == '* ESEARCH (TAG "e") MIN 1 MAX 2 COUNT 2'
    assert client("f UID SEARCH RETURN () UNSEEN")[0] == '* ESEARCH (TAG "f") UID ALL 1:2'
    assert client("g SEARCH RETURN (ALL COUNT) SEEN")[0] == '* ESEARCH (TAG "g") COUNT 0'


def test_condstore(talk):
    client = filled(talk)
    other = talk()
    client("a SELECT INBOX (CONDSTORE)")
    other("a SELECT INBOX")
    assert client("b FETCH 1 (MODSEQ)") == ["* 1 FETCH (MODSEQ (2))", "b OK Done"]
    other("b STORE 1 +FLAGS.SILENT \\Seen")
    assert client("c NOOP")[0] == "* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent) MODSEQ (5))"
    assert client("d FETCH 1:* FLAGS (CHANGEDSINCE 3)") == [
        "* 1 FETCH (FLAGS (\\Seen \\Recent) MODSEQ (5))",
        "* 3 FETCH (FLAGS (\\Recent) MODSEQ (4))",
        "d OK Done",
    ]
    assert client("e STORE 1:2 (UNCHANGEDSINCE 4) +FLAGS.SILENT (\\Flagged)") == [
        "* 2 FETCH (UID 2 MODSEQ (6))",
        "e OK [MODIFIED 1] Some were changed by others",
    ]
    assert client("f SEARCH MODSEQ 5") == ["* SEARCH 1 2 (MODSEQ 6)", "f OK Done"]
    assert client("g STATUS INBOX (HIGHESTMODSEQ)")[0] == '* STATUS "INBOX" (HIGHESTMODSEQ 6)'


def test_a_deleted_mailbox_ends_the_session_that_has_it_open(talk):
    client, other = talk(), talk()
    client("a SELECT Junk")
    other("a DELETE Junk")
    assert client("b NOOP") == ["* BYE The selected mailbox was deleted"]


def test_hundreds_of_messages_come_in_batches(talk):
    client = filled(talk, 600)
    client("a SELECT INBOX")
    lines = client("b FETCH 1:* (UID BODY.PEEK[TEXT])")
    assert [line for line in lines if line.startswith("*")] == [
        f"* {number} FETCH (UID {number} BODY[TEXT] {{18}}" for number in range(1, 601)
    ]
    client("c STORE 2:599 +FLAGS.SILENT \\Deleted")
    assert client("d EXPUNGE") == ["* 2 EXPUNGE"] * 598 + ["d OK Done"]


def test_the_first_use_of_condstore_tells_the_highest_modseq(talk):
    client = filled(talk, 2)
    client("a SELECT INBOX")
    assert client("b FETCH 1 MODSEQ") == [
        "* OK [HIGHESTMODSEQ 3] Highest",
        "* 1 FETCH (MODSEQ (2))",
        "b OK Done",
    ]
    assert client("c FETCH 1 MODSEQ") == ["* 1 FETCH (MODSEQ (2))", "c OK Done"]
    assert client("d SEARCH RETURN (MIN) MODSEQ 1 ALL")[0] == '* ESEARCH (TAG "d") MIN 1 MODSEQ 2'
    assert client("e SEARCH RETURN (MIN COUNT) MODSEQ 1 ALL")[0] == '* ESEARCH (TAG "e") MIN 1 COUNT 2 MODSEQ 3'


def test_an_address_is_found_without_its_comments(talk):
    client = talk()
    client.file(b"From: <fred (the first)@ (of) example.org>\r\nSubject: (a) b\r\n\r\n")
    client("a SELECT INBOX")
    assert client("b SEARCH FROM fred@example.org")[0] == "* SEARCH 1"
    assert client("c SEARCH FROM first")[0] == "* SEARCH 1"
    assert client("d SEARCH TO fred@example.org")[0] == "* SEARCH"


def test_a_name_that_is_no_modified_utf7_is_no_mailbox(talk):
    client = talk()
    assert client("a SELECT &x") == ["a NO [NONEXISTENT] No such mailbox"]
    assert client('b LIST "" &x*') == ["b OK Done"]


def test_a_search_result_is_saved(talk):
    client = filled(talk, 4)
    client("a SELECT INBOX")
    assert client("b STORE $ +FLAGS (\\Flagged)") == ["b OK Done"]  # RFC 5182 2.1: empty at first
    assert client("c SEARCH RETURN (SAVE) 2:3") == ["c OK Saved"]
    assert client("d UID SEARCH RETURN (SAVE COUNT) $ UID 3") == ['* ESEARCH (TAG "d") UID COUNT 1', "d OK Done"]
    assert client("e FETCH $ UID") == ["* 3 FETCH (UID 3)", "e OK Done"]
    client("f SEARCH RETURN (SAVE MIN MAX) ALL")
    client("g STORE 1 +FLAGS.SILENT (\\Deleted)")
    client("h EXPUNGE")
    assert client("i UID FETCH $ UID") == ["* 3 FETCH (UID 4)", "i OK Done"]


def test_several_messages_in_one_append(talk, clean):
    client = talk()
    two = b"a APPEND Sent (\\Seen) {6+}\r\none\r\n\n {5+}\r\ntwo\r\n\r\n"
    assert clean(client(two.replace(b"one\r\n\n", b"one\r\n\n")))[-1].endswith("1:2] Done")
    assert client("b APPEND Sent")[-1].startswith("b BAD")
    client("c SELECT Sent")
    assert client("d FETCH 1:2 (FLAGS RFC822.SIZE)")[:2] == [
        "* 1 FETCH (FLAGS (\\Seen \\Recent) RFC822.SIZE 6)",
        "* 2 FETCH (FLAGS (\\Recent) RFC822.SIZE 5)",
    ]


def test_object_ids_stay(talk):
    client = filled(talk, 2)
    made = client("a CREATE Work")[-1]
    assert made.startswith("a OK [MAILBOXID (F")
    client("b RENAME Work Play")
    assert client("c STATUS Play (MAILBOXID)")[0].split("(MAILBOXID ")[1][:-1] in made
    client("d SELECT INBOX")
    first, second = client("e FETCH 1:2 (EMAILID THREADID)")[:2]
    assert first.split("FETCH")[1] == second.split("FETCH")[1] and "THREADID NIL" in first  # the same octets
    email = first.split("EMAILID (")[1].split(")")[0]
    assert client(f"f SEARCH EMAILID {email}")[0] == "* SEARCH 1 2"
    assert client("g SEARCH EMAILID M999")[0] == client("h SEARCH THREADID T1")[0] == "* SEARCH"


def test_a_client_that_comes_back_hears_what_has_changed(talk):
    client, other = filled(talk, 5), talk()
    before = client("a SELECT INBOX")
    uidvalidity = re.search(r"UIDVALIDITY ([0-9]+)", "".join(before))[1]
    modseq = re.search(r"HIGHESTMODSEQ ([0-9]+)", "".join(before))[1]
    client("b UNSELECT")
    other("a SELECT INBOX")
    other("b STORE 2,4 +FLAGS.SILENT (\\Deleted)")
    other("c EXPUNGE")
    other("d STORE 1 +FLAGS.SILENT (\\Seen)")
    assert client(f"c SELECT INBOX (QRESYNC ({uidvalidity} {modseq}))") == ["c BAD ENABLE QRESYNC first"]
    assert client("d ENABLE QRESYNC") == ["* ENABLED QRESYNC", "d OK Done"]
    answer = client(f"e SELECT INBOX (QRESYNC ({uidvalidity} {modseq} 1:5 (1,3 1,3)))")
    assert answer[-3:] == [
        "* VANISHED (EARLIER) 2,4",
        "* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (9))",
        "e OK [READ-WRITE] Done",
    ]
    assert "VANISHED" not in "".join(client(f"f SELECT INBOX (QRESYNC (1 {modseq}))"))
    assert "* VANISHED (EARLIER) 4" in client(f"g SELECT INBOX (QRESYNC ({uidvalidity} {modseq} 3:5))")
    assert client(f"h UID FETCH 1:3 (FLAGS) (CHANGEDSINCE {modseq} VANISHED)") == [
        "* VANISHED (EARLIER) 2",
        "* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (9))",
        "h OK Done",
    ]
    assert client("i FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)")[-1].startswith("i BAD")


def test_who_resyncs_hears_of_uids(talk):
    client, other = filled(talk, 4), talk()
    client("a ENABLE QRESYNC")
    client("b SELECT INBOX")
    other("a SELECT INBOX")
    other("b STORE 1:2,4 +FLAGS.SILENT (\\Deleted)")
    other("c EXPUNGE")
    assert client("c NOOP") == ["* VANISHED 1:2,4", "* OK [HIGHESTMODSEQ 7] Highest", "c OK Done"]
    client("d STORE 1 +FLAGS.SILENT (\\Deleted)")
    assert client("e EXPUNGE")[0] == "* VANISHED 3"


def test_sort(talk):
    client = talk()
    for number, (subject, sender, date) in enumerate(
        (
            ("Re: beta (fwd)", "Zoe <amy@x.example>", "Tue, 8 Feb 1994 00:00:00 +0000"),
            ("[list] Alpha", "bob@x.example", "Mon, 7 Feb 1994 23:00:00 -0800"),
            ("[Fwd: Re: ALPHA]", "friends: carl@x.example;", "no date"),
        )
    ):
        content = f"Subject: {subject}\r\nFrom: {sender}\r\nDate: {date}\r\n\r\n{'x' * number}"
        client.file(content.encode())
    client("a SELECT INBOX")
    assert client("b SORT (SUBJECT) UTF-8 ALL") == ["* SORT 2 3 1", "b OK Done"]
    assert client("c SORT (FROM) UTF-8 ALL")[0] == "* SORT 1 2 3"  # of a group, its name
    assert client("d UID SORT (REVERSE DATE) UTF-8 1:2")[0] == "* SORT 2 1"
    assert client("e SORT (SUBJECT REVERSE ARRIVAL) UTF-8 SUBJECT alpha")[0] == "* SORT 2 3"
    assert client("f SORT (NOTHING) UTF-8 ALL")[0].startswith("f BAD")
    assert client("g SORT (DATE) EBCDIC ALL")[0].startswith("g NO [BADCHARSET")
    assert client("h SORT (DATE) UTF-8 SUBJECT gamma") == ["* SORT", "h OK Done"]


def test_silence_is_kept_of_our_own_changes_alone(talk):
    client, other = filled(talk, 2), talk()
    client("a SELECT INBOX")
    other("a SELECT INBOX")
    other("b STORE 1 +FLAGS (\\Flagged)")
    answer = client("b STORE 1:2 +FLAGS.SILENT (\\Seen)")
    assert answer == ["* 1 FETCH (UID 1 FLAGS (\\Flagged \\Seen \\Recent))", "b OK Done"]


def test_a_keyword_is_announced_before_it_is_shown(talk):
    client, other = filled(talk, 1), talk()
    client("a SELECT INBOX")
    other("a SELECT INBOX")
    other("b STORE 1 +FLAGS.SILENT ($Label1)")
    assert client("b FETCH 1 FLAGS")[:2] == [
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded $Junk $Label1 $MDNSent $NotJunk $Phishing)",
        "* 1 FETCH (FLAGS (\\Recent $Label1))",
    ]


@pytest.mark.parametrize("command", ["EXPUNGE", "UID EXPUNGE 1:2", "CLOSE"])
def test_what_another_session_has_taken_back_is_not_expunged(talk, command):
    """It answered OK between the look for what is deleted and the write that lets it go."""
    client, other = talk(), talk()
    one, two = client.file(MESSAGE), client.file(MESSAGE)
    client("a SELECT INBOX")
    other("a SELECT INBOX")
    client("b STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    carry_out = client._carry_out

    def meanwhile(effect):
        if isinstance(effect, Write):
            client._carry_out = carry_out
            assert other(f"b UID STORE {one} -FLAGS.SILENT (\\Deleted)")[-1].startswith("b OK")
        return carry_out(effect)

    client._carry_out = meanwhile
    assert client(f"c {command}")[-1].startswith("c OK")
    folder = folders.find_folder(client.store.reader, "alice", "INBOX")
    assert entries.uids(client.store.reader, folder.id) == [one] and two != one


@pytest.mark.parametrize("command", ["EXPUNGE", "CLOSE"])
def test_many_deleted_messages_go_a_slice_at_a_time(talk, monkeypatch, command):
    """The writer is everybody's."""
    monkeypatch.setattr(change, "STORE_BATCH_MESSAGES", 2)
    slices, expunge = [], entries.expunge
    monkeypatch.setattr(
        entries, "expunge", lambda tx, folder, uids: slices.append(len(uids)) or expunge(tx, folder, uids)
    )
    client = talk()
    for _ in range(5):
        client.file(MESSAGE)
    client("a SELECT INBOX")
    client("b STORE 1:* +FLAGS.SILENT (\\Deleted)")
    assert client(f"c {command}")[-1] == "c OK Done" and slices == [2, 2, 1]
    assert "* 0 EXISTS" in client("d SELECT INBOX")
