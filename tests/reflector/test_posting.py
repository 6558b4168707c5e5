"""Posting: who may, what leaves, to whom."""

from __future__ import annotations

from mail.control import CreateSource, Subscribe
from mail.outcome import Deferred, Delivered
from reflector.settings import DAY_SECONDS
from tests.reflector.town import NAMES, Town, is_refused

BOB = "bob@reflectors.fabric.test"
LEAF = "bob+leaf@host-1.fabric.test"
EVE = "eve@pen.test"


def test_a_post_goes_once_to_the_leaf_each_timeline_elsewhere_and_each_foreigner(town: Town) -> None:
    for who in ("alice@fabric.test", "carol@fabric.test", EVE):
        town.control("bob", Subscribe("bob", who))
    town.fetch()
    receipt = town.write(BOB, by="bob", subject="Hello", text="Hi all")
    (outgoing,) = receipt.outgoing
    assert outgoing.signed and outgoing.sender == NAMES.reflector_inside("bob", "bounce")
    posts = town.fetch()
    assert sorted(mail.to for mail in posts) == sorted([LEAF, NAMES.timeline("carol"), EVE])
    (foreign,) = [mail for mail in posts if mail.to == EVE]
    assert foreign.sender.startswith("bob+bounce.") and foreign.sender.endswith("@reflectors.fabric.test")
    assert [(e["post"], e["foreign"], e["fabric"]) for e in town.events("expanded")] == [(1, 1, 1)]


def test_posts_are_numbered_and_a_repeat_is_not_a_post(town: Town) -> None:
    for text in ("a", "b"):
        town.write(BOB, by="bob", text=text)
    town.write(BOB, by="bob", text="b", repeat=True)
    town.now += 13 * DAY_SECONDS
    town.write(BOB, by="bob", text="b", repeat=True)
    town.write(BOB, by="bob", text="c")
    assert [mail.post for mail in town.fetch(LEAF)] == [1, 2, 3]
    assert [event["reason"] for event in town.events("dropped")] == ["repeat", "repeat"]


def test_a_post_without_a_message_id_is_known_by_its_bytes(town: Town) -> None:
    for _ in range(2):
        town.write(BOB, by="bob", text="a", fields={"Message-ID": ""})
    assert [mail.post for mail in town.fetch(LEAF)] == [1]


def test_a_first_post_waits_for_its_source_and_a_strangers_does_not(town: Town) -> None:
    dora = "dora@reflectors.fabric.test"
    assert isinstance(town.write(dora, by="dora", text="1").outcome, Deferred)
    assert is_refused(town.write(dora, by="alice", text="1"), "no dora")
    town.control("dora", CreateSource("dora", "dora"))
    assert isinstance(town.write(dora, by="dora", text="1", repeat=True).outcome, Delivered)


def test_only_the_owner_posts_and_the_refusal_says_what_to_do(town: Town) -> None:
    for by, host in (("alice", ""), (EVE, ""), ("bob@fabric.test", ""), ("bob@fabric.test", "host-2")):
        receipt = town.write(BOB, by=by, subject="Buy", text="now", host=host)
        assert is_refused(receipt, "5.7.1", "only bob may post", "bob@fabric.test", "bob+subscribe@")
    assert town.fetch() == []


def test_authentication_counts_only_under_a_signature(town: Town) -> None:
    forged = {"Heliograph-Authenticated": "bob"}
    assert is_refused(town.write(BOB, by="bob@fabric.test", text="x", fields=forged), "only bob")


def test_an_owner_other_than_the_source(town: Town) -> None:
    town.control("club", CreateSource("club", "alice"))
    assert is_refused(town.write("club@reflectors.fabric.test", by="club", text="x"), "only alice")
    town.write("club@reflectors.fabric.test", by="alice", text="x")
    assert [mail.post for mail in town.fetch("club+leaf@host-1.fabric.test")] == [1]


def test_what_a_post_carries(town: Town) -> None:
    fields = {"Bcc": "secret@pen.test", "List-Id": "<other.list.test>", "Precedence": "bulk", "Reply-To": "r@pen.test"}
    fields |= {"DKIM-Signature": "v=1; d=fabric.fabric.test", "Disposition-Notification-To": "bob@fabric.test"}
    town.write(BOB, by="bob", subject="Hi", text="text\r\n", fields=fields | {"Heliograph-Post": "99"})
    (post,) = town.fetch(LEAF)
    headers = post.headers
    assert headers.all("list-id") == ["Bob's news <bob.reflectors.fabric.test>"]
    assert headers.get("list-help") == "<mailto:bob+help@reflectors.fabric.test>"
    assert headers.get("list-subscribe") == "<mailto:bob+subscribe@reflectors.fabric.test>"
    assert headers.get("list-unsubscribe") == "<mailto:bob+unsubscribe@reflectors.fabric.test>"
    assert headers.get("list-owner") == "<mailto:bob+owner@reflectors.fabric.test>"
    assert headers.get("list-post").startswith("NO")
    assert headers.all("precedence") == ["list"] and headers.get("from") == "bob@fabric.test"
    assert headers.all("heliograph-post") == ["1"] and headers.all("heliograph-source") == ["bob"]
    assert headers.get("reply-to") == "r@pen.test" and headers.get("subject") == "Hi"
    for gone in ("bcc", "dkim-signature", "disposition-notification-to", "heliograph-authenticated"):
        assert not headers.has(gone), gone
    assert post.text == "text\r\n"


def test_a_post_without_date_or_message_id_gets_them(town: Town) -> None:
    town.write(BOB, by="bob", text="x", fields={"Message-ID": ""})
    (post,) = town.fetch(LEAF)
    assert post.headers.get("message-id").endswith(".bob@reflectors.fabric.test>") and post.headers.get("date")


def test_the_owners_help_is_a_post_if_it_has_text_and_a_command_if_it_has_none(town: Town) -> None:
    town.write(BOB, by="bob", subject="help", text="I need somebody")
    assert [mail.post for mail in town.fetch()] == [1]
    town.write(BOB, by="bob", subject="Help", text="\r\n")
    assert [mail.to for mail in town.fetch()] == [NAMES.timeline("bob")]


def test_a_title_beyond_ascii(town: Town) -> None:
    town.control(
        "bob", CreateSource("bob", "bob", 'Bob "B"\r\nBcc: x@pen.test Übermut'), Subscribe("bob", "dörte@pen.test")
    )
    town.write(BOB, by="bob", text="x")
    for mail in town.fetch():
        assert not mail.headers.has("bcc") and mail.headers.get("list-id").endswith("<bob.reflectors.fabric.test>")


def test_mail_for_the_owner_goes_to_her_timeline(town: Town) -> None:
    forged = {"Heliograph-Control": "welcome source=x from=1 generation=1", "Heliograph-Post": "3"}
    town.write("bob+owner@reflectors.fabric.test", by=EVE, subject="Hey", text="you", fields=forged)
    (mail,) = town.fetch()
    assert mail.to == NAMES.timeline("bob") and mail.sender == NAMES.reflector_inside("bob", "bounce")
    assert not mail.signed  # what comes back is noted, and goes to nobody who was only named
    assert not mail.headers.has("heliograph-control") and mail.text == "you"
    assert isinstance(town.deliver("bob+owner@reflectors.fabric.test", mail.content, EVE).outcome, Delivered)
    assert town.fetch() == []  # it was here before
    town.write("bob+owner@reflectors.fabric.test", by="alice", text="me")
    assert [mail.sender for mail in town.fetch()] == [NAMES.person("alice")]


def test_bounces_are_noted_and_never_answered(town: Town) -> None:
    town.control("bob", Subscribe("bob", EVE))
    town.fetch()
    town.write(BOB, by="bob", text="x")
    (post,) = town.fetch(EVE)
    town.fetch()
    for to in (post.sender, "bob+bounce@reflectors.fabric.test", f"bob+bounce.{'a' * 24}@reflectors.fabric.test"):
        assert isinstance(town.write(to, by="MAILER-DAEMON@pen.test", sender="", text="no").outcome, Delivered)
    assert [event["subscriber"] for event in town.events("bounced")] == [EVE, "", ""]
    assert town.fetch() == []
