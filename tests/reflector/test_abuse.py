"""Robots, bombers, forgers and rings: what they try, and that it comes to nothing."""

from __future__ import annotations

import pytest

from mail.control import CreateSource, FollowFeed, Goodbye, RemoveSource, Subscribe, add_controls
from mail.outcome import Delivered
from reflector import ReflectorRoom, Settings
from reflector.settings import DAY_SECONDS
from tests.reflector.town import NAMES, Town, is_refused

BOB = "bob@reflectors.fabric.test"
SUBSCRIBE = "bob+subscribe@reflectors.fabric.test"
LEAF = "bob+leaf@host-1.fabric.test"
EVE = "eve@pen.test"


def followers(town: Town) -> int:
    return len(town.tx.all("SELECT 1 FROM subscriber"))


def test_a_thousand_forged_requests_are_one_question(town: Town) -> None:
    for number in range(1000):
        town.write(SUBSCRIBE, by=EVE, sender=f"bomber{number}@pen.test")
    assert len(town.fetch(EVE)) == 1 and followers(town) == 0
    assert len(town.events("hushed")) == 1
    town.now += DAY_SECONDS
    town.write(SUBSCRIBE, by=EVE)
    assert len(town.fetch(EVE)) == 1


@pytest.mark.parametrize("author", ["nobody", BOB, ""])
def test_a_command_without_a_good_from_comes_back_to_nobody(town: Town, author: str) -> None:
    receipt = town.write(SUBSCRIBE, by=EVE, sender=EVE, fields={"From": author})
    assert receipt.outcome == Delivered("2.0.0 Ok") and town.fetch() == []


def test_one_mailbox_under_a_thousand_names_is_one_victim(town: Town) -> None:
    for number in range(1000):
        town.write(SUBSCRIBE, by=EVE.replace("@", f"+{number}@"))
    assert len(town.fetch()) == 1


def test_a_bomb_over_all_sources_is_five_mails(town: Town) -> None:
    for number in range(50):
        town.control(f"s{number}", CreateSource(f"s{number}", "bob"))
        for detail in ("subscribe", "unsubscribe", "help"):
            town.write(f"s{number}+{detail}@reflectors.fabric.test", by=EVE)
    assert len(town.fetch(EVE)) == 5


def test_a_question_quotes_nothing_but_the_address(town: Town) -> None:
    town.control("bob", CreateSource("bob", "bob", "BUY AT pills.test"))
    fields = {"Message-ID": "<pills@pills.test>", "X": "pills"}
    town.write(SUBSCRIBE, by=f"Pills <{EVE}>", subject="folder=pills pills", text="pills", fields=fields)
    (question,) = town.fetch(EVE)
    assert b"ills" not in question.content and EVE in question.text


def test_who_confirmed_may_be_asked_again_the_same_day(town: Town) -> None:
    for detail in ("subscribe", "unsubscribe", "subscribe"):
        town.write(f"bob+{detail}@reflectors.fabric.test", by=EVE)
        town.confirm(EVE)
    assert len(town.events("subscribed")) == 2


AUTOMATIC = [
    ({"Auto-Submitted": "auto-replied"}, EVE),
    ({"Auto-Submitted": "auto-generated; owner-email=x"}, EVE),
    ({"Precedence": "Bulk"}, EVE),
    ({"Precedence": "junk"}, EVE),
    ({"Precedence": "list"}, EVE),
    ({"List-Id": "<x.list.test>"}, EVE),
    ({}, ""),
    ({}, "MAILER-DAEMON@pen.test"),
    ({}, "owner-list@pen.test"),
    ({}, "list-bounces+x@pen.test"),
    ({"From": "noreply@pen.test"}, EVE),
    ({"From": "other+help@reflectors.fabric.test"}, EVE),
    ({}, "other+bounce@b3.reflectors.fabric.test"),
    ({}, "bob+leaf@host-2.fabric.test"),
]


@pytest.mark.parametrize(("fields", "sender"), AUTOMATIC)
@pytest.mark.parametrize("door", ["+subscribe", "+help", "-request", "+confirm"])
def test_machines_are_neither_obeyed_nor_answered(town: Town, fields: dict[str, str], sender: str, door: str) -> None:
    if door == "+confirm":
        town.write(SUBSCRIBE, by=EVE)
        (question,) = town.fetch(EVE)
        to = question.headers.get("reply-to")
    else:
        to = f"bob{door}@reflectors.fabric.test"
    receipt = town.write(to, by=EVE, sender=sender, subject="subscribe", fields=fields)
    assert isinstance(receipt.outcome, Delivered) and town.fetch() == [] and followers(town) == 0


def test_a_person_is_answered_though_she_says_she_is_none(town: Town) -> None:
    town.write(SUBSCRIBE, by=EVE, fields={"Auto-Submitted": "no", "Precedence": "first-class"})
    assert len(town.fetch(EVE)) == 1


@pytest.mark.parametrize("who", ["alice", EVE])
def test_a_careless_robot_that_answers_everything_tires_us_soon(town: Town, who: str) -> None:
    """It answers the From of whatever comes, and marks nothing."""
    mailbox = NAMES.timeline(who) if "@" not in who else who
    town.write("bob+help@reflectors.fabric.test", by=who, subject="hello")
    answered = 0
    while letters := town.fetch(mailbox):
        answered += len(letters)
        assert answered <= 20
        for letter in letters:
            town.write(letter.headers.get("from").partition("<")[2].rstrip(">"), by=who, subject="I am away")
    assert 1 <= answered <= 20


def test_answers_are_such_that_a_well_behaved_machine_says_nothing(town: Town) -> None:
    town.write(SUBSCRIBE, by=EVE)
    town.write("bob+help@reflectors.fabric.test", by="alice")
    for answer in town.fetch():
        assert answer.sender == ""
        assert answer.headers.get("auto-submitted") == "auto-replied"
        assert answer.headers.has("list-id") and answer.headers.get("precedence") == "bulk"


def test_an_answer_is_the_same_for_the_same_mail() -> None:
    answers = []
    for _ in range(2):
        town = Town()
        town.control("bob", CreateSource("bob", "bob"))
        town.write(SUBSCRIBE, by=EVE)
        answers.append(town.fetch(EVE))
    assert answers[0] == answers[1]


def test_a_posts_own_list_id_ends_its_way(town: Town) -> None:
    town.write(BOB, by="bob", subject="Round", text="and round")
    (post,) = town.fetch(LEAF)
    for host in ("", "host-2"):
        receipt = town.deliver(BOB, post.content, "bob@fabric.test", host)
        assert isinstance(receipt.outcome, Delivered)
    assert town.fetch() == [] and {event["reason"] for event in town.events("dropped")} == {"own List-Id"}


def test_a_ring_of_three_lists_whose_owners_robots_repost_everything() -> None:
    """Each robot signs in and sends what it gets on to its own list, keeping the header as clients do that redirect."""
    town, ring = Town(), ["bob", "dora", "carol"]
    for name in ring:
        town.control(name, CreateSource(name, name))
    town.write("bob@reflectors.fabric.test", by="bob", subject="Round", text="and round")
    hops = 0
    while posts := [mail for mail in town.fetch() if mail.post]:
        (post,) = posts
        hops += 1
        assert hops <= 3
        owner = ring[hops % 3]
        vouched = f"Heliograph-Authenticated: {owner}\r\n".encode() + _as_submitted(post.content)
        town.deliver(f"{owner}@reflectors.fabric.test", vouched, f"{owner}@fabric.test", "host-1")
    assert hops == 3


def test_hops_are_counted_and_a_strangers_count_is_not_believed(town: Town) -> None:
    for hops, counted in (("", "1"), ("3", "4")):
        town.write(BOB, by="bob", text=hops, fields={"Heliograph-Hops": hops})
        assert town.fetch(LEAF)[0].headers.all("heliograph-hops") == [counted]
    assert is_refused(town.write(BOB, by=EVE, fields={"Heliograph-Hops": "9"}), "only bob")


def test_a_chain_of_lists_has_an_end(town: Town) -> None:
    for hops, posts in (("7", 1), ("8", 0), ("99999999999", 1), ("x", 1), ("²", 1)):
        town.write(BOB, by="bob", text=hops, fields={"Heliograph-Hops": hops, "Heliograph-Source": "dora"})
        assert len(town.fetch(LEAF)) == posts, hops


def _as_submitted(content: bytes) -> bytes:
    from mail.headers import drop_headers

    return drop_headers(content, prefix="heliograph-")


def test_control_mail_of_strangers_and_of_users_is_no_control(town: Town) -> None:
    tries = [(BOB, RemoveSource("bob")), ("bob+control@reflectors.fabric.test", Subscribe("bob", EVE))]
    for to, control in [*tries, ("new+control@reflectors.fabric.test", CreateSource("new", "eve"))]:
        content = add_controls(b"From: eve@pen.test\r\n\r\n", control)
        town.deliver(to, content, EVE)
        town.deliver(to, b"Heliograph-Authenticated: eve\r\n" + content, EVE, "host-2")
    assert followers(town) == 0 and town.fetch() == []
    assert town.tx.all("SELECT name, removed FROM source") == [("bob", 0)]


def test_control_mail_is_done_whole_or_not_at_all(town: Town) -> None:
    good = CreateSource("bob", "bob", "Changed")
    feed = FollowFeed("https://x.test/", EVE)
    for bad in (Subscribe("dora", EVE), feed, Goodbye("bob", 1, 1), CreateSource("bob", "eve")):
        assert is_refused(town.control("bob", good, bad))
    for address in ("", "x", "dora@reflectors.fabric.test", "follow@fabric.test", "a@b\r\n"):
        assert is_refused(town.control("bob", good, Subscribe("bob", address)), "5.1.3"), address
    assert not isinstance(town.control("bob", RemoveSource("bob"), Subscribe("bob", EVE)).outcome, Delivered)
    assert town.tx.one("SELECT title, removed FROM source") == ("Bob's news", 0)
    assert len(town.events("control-refused")) == 9


def test_a_control_that_cannot_be_read_is_refused(town: Town) -> None:
    for value in ("create-source", "dance source=bob", "subscribe source=bob", ""):
        content = f"Heliograph-Control: {value}x=\r\n\r\n".encode()
        assert is_refused(town.deliver(NAMES.reflector_inside("bob"), content, "", "host-2")), value


def test_no_list_follows_a_list(town: Town) -> None:
    town.control("dora", CreateSource("dora", "dora"))
    receipt = town.write(SUBSCRIBE, by="dora@reflectors.fabric.test", sender=EVE)
    assert isinstance(receipt.outcome, Delivered) and town.fetch() == []
    for nobody in ("not an address", "x@[1.2.3.4", "a..b@pen.test", ";"):
        assert town.write(SUBSCRIBE, by=EVE, fields={"From": nobody}).outcome == Delivered("2.0.0 Ok"), nobody
    assert is_refused(town.write(SUBSCRIBE, by="Not/An/Entity", sender=EVE, fields={"From": EVE}))


def test_every_flipped_bit_of_a_confirmation_fails(town: Town) -> None:
    town.write(SUBSCRIBE, by=EVE)
    (question,) = town.fetch(EVE)
    local, _, domain = question.headers.get("reply-to").partition("@")
    token = local.partition(".")[2]
    assert len(token) == 24
    tried = 0
    for place in range(24):
        for bit in range(8):
            letter = chr(ord(token[place]) ^ 1 << bit)
            forged = token[:place] + letter + token[place + 1 :]
            if letter.isalnum() and letter.isascii() and forged.lower() != token:
                tried += 1
                town.write(f"bob+confirm.{forged}@{domain}", by=EVE)
                assert followers(town) == 0 and town.fetch() == [], forged
    assert tried > 50
    town.write(f"bob+confirm.{token}@{domain}".upper(), by=EVE)  # the very one, in whatever case
    assert followers(town) == 1


def test_tokens_of_another_key_are_worth_nothing(town: Town) -> None:
    town.write(SUBSCRIBE, by=EVE)
    (question,) = town.fetch(EVE)
    town.room = ReflectorRoom("host-1", lambda: town.directory, b"another key, as long as needed")
    town.write(question.headers.get("reply-to"), by=EVE)
    assert followers(town) == 0 and len(town.events("dropped")) == 1


def test_a_readers_copy_of_the_database_holds_no_token(town: Town) -> None:
    town.write(SUBSCRIBE, by=EVE)
    (question,) = town.fetch(EVE)
    token = question.headers.get("reply-to").partition(".")[2][:24]
    dump = "\n".join(town.tx.connection.iterdump())
    assert "confirmation" in dump and token not in dump


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="token key"):
        ReflectorRoom("host-1", lambda: Town().directory, b"short", Settings())


def test_no_address_outgrows_64_octets() -> None:
    town, longest = Town(), "x" * 30
    town.control(longest, CreateSource(longest, longest), Subscribe(longest, EVE))
    town.write(f"{longest}+subscribe@reflectors.fabric.test", by="eva@pen.test")
    town.write(f"{longest}@reflectors.fabric.test", by=longest, text="x")
    (question,) = town.fetch("eva@pen.test")
    (post,) = [mail for mail in town.fetch(EVE) if mail.post]
    assert max(len(a.partition("@")[0]) for a in (question.headers.get("reply-to"), post.sender)) == 63
    assert isinstance(town.write(question.headers.get("reply-to"), by="eva@pen.test").outcome, Delivered)


def test_what_is_forwarded_to_the_owner_cannot_be_used_to_pass_for_the_writer(town: Town) -> None:
    signature = {"DKIM-Signature": "v=1; d=fabric.fabric.test; h=heliograph-authenticated; b=x"}
    town.write("bob+owner@reflectors.fabric.test", by="alice", text="hi", fields=signature)
    town.write("bob+owner@reflectors.fabric.test", by=EVE, text="hi", fields=signature)
    signed_in, foreign = town.fetch()
    assert not signed_in.headers.has("dkim-signature") and foreign.headers.has("dkim-signature")


def test_echoed_message_ids_start_no_header(town: Town) -> None:
    for message_id in ("<a@b>\r\n\tBcc: <x@pen.test>", "<a b@c>", "x", "<" + "a" * 2000 + "@b>", "<a@b\x00>"):
        town.write("bob+help@reflectors.fabric.test", by="alice", fields={"Message-ID": message_id})
    for answer in town.fetch():
        assert not answer.headers.has("bcc") and not answer.headers.has("in-reply-to")
