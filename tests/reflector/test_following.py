"""Following and leaving, told as letters."""

from __future__ import annotations

from mail.control import CreateSource, Goodbye, RemoveSource, Subscribe, Welcome
from mail.outcome import Deferred, Delivered
from reflector.settings import DAY_SECONDS, Settings
from tests.reflector.town import NAMES, Town, is_refused, zone

BOB = "bob@reflectors.fabric.test"
EVE = "eve@pen.test"


def at(detail: str) -> str:
    return f"bob+{detail}@reflectors.fabric.test"


def rows(town: Town) -> list[tuple[object, ...]]:
    return town.tx.all("SELECT address, kind, from_post, until_post < 1000 FROM subscriber ORDER BY address, id")


def test_a_local_follower_is_welcomed_at_her_timeline_and_has_no_row(town: Town) -> None:
    town.write(at("subscribe"), by="alice", subject="folder=News")
    welcome, answer = town.fetch(NAMES.timeline("alice"))
    assert welcome.controls == [Welcome("bob", 1, 1, "News", "host-1")] and welcome.signed
    assert welcome.sender == NAMES.reflector_inside("bob", "bounce")
    assert answer.sender == "" and not answer.signed and "folder News" in answer.text
    assert rows(town) == []


def test_a_follower_on_another_host_has_a_row_too(town: Town) -> None:
    town.write(BOB, by="carol", subject="subscribe")
    welcome, _ = town.fetch(NAMES.timeline("carol"))
    assert welcome.controls == [Welcome("bob", 1, 1, at="host-2")]
    assert rows(town) == [("carol@fabric.test", "fabric", 1, 0)]


def test_a_foreigner_is_asked_first_and_then_welcomed(town: Town) -> None:
    town.write(at("subscribe"), by=f"Eve <{EVE}>", sender=EVE)
    (question,) = town.fetch(EVE)
    assert rows(town) == [] and question.sender == ""
    assert town.write(question.headers.get("reply-to"), by=EVE, subject="Re: whatever").outcome == Delivered("2.0.0 Ok")
    (welcome,) = town.fetch(EVE)
    assert "You follow Bob's news" in welcome.text and not welcome.headers.has("heliograph-control")
    assert rows(town) == [(EVE, "foreign", 1, 0)]


def test_a_confirmation_works_once(town: Town) -> None:
    town.write(at("subscribe"), by=EVE)
    (question,) = town.fetch(EVE)
    town.write(question.headers.get("reply-to"), by=EVE, text="yes")
    town.fetch(EVE)
    again = town.write(question.headers.get("reply-to"), by=EVE, text="yes, yes")
    assert again.outcome == Delivered("2.0.0 Ok") and town.fetch() == []  # nobody is told who may be forged
    assert "unknown, or was used already" in town.events("dropped")[0]["reason"]


def test_a_repeat_of_the_confirming_mail_is_taken_quietly(town: Town) -> None:
    town.write(at("subscribe"), by=EVE)
    (question,) = town.fetch(EVE)
    for repeat in (False, True):
        receipt = town.write(question.headers.get("reply-to"), by=EVE, text="yes", repeat=repeat)
        assert isinstance(receipt.outcome, Delivered)
    assert len(town.fetch(EVE)) == 1


def test_a_confirmation_expires_and_says_so_once(town: Town) -> None:
    town.write(at("subscribe"), by=EVE)
    (question,) = town.fetch(EVE)
    town.now += 3 * DAY_SECONDS
    assert is_refused(town.write(question.headers.get("reply-to"), by=EVE), "expired", "bob+subscribe@")
    assert town.write(question.headers.get("reply-to"), by=EVE).outcome == Delivered("2.0.0 Ok")
    assert rows(town) == []


def test_a_confirmation_of_another_source_is_worth_nothing(town: Town) -> None:
    town.control("dora", CreateSource("dora", "dora"))
    town.write(at("subscribe"), by=EVE)
    (question,) = town.fetch(EVE)
    moved = question.headers.get("reply-to").replace("bob+", "dora+")
    town.write(moved, by=EVE)
    assert rows(town) == [] and len(town.events("dropped")) == 1


def test_who_follows_already_is_told_so(town: Town) -> None:
    town.write(at("subscribe"), by="carol")
    town.fetch()
    town.write(at("subscribe"), by="carol", subject="folder=Later")
    welcome, answer = town.fetch(NAMES.timeline("carol"))
    assert welcome.controls == [Welcome("bob", 1, 2, "Later", "host-2")]
    assert "already follow" in answer.text and len(rows(town)) == 1


def test_a_foreigner_who_follows_already_is_told_so_without_a_question(town: Town) -> None:
    town.write(at("subscribe"), by=EVE)
    town.confirm(EVE)
    town.fetch()
    town.write(at("subscribe"), by=EVE)
    (answer,) = town.fetch(EVE)
    assert "already" in answer.headers.get("subject") and not answer.headers.has("reply-to")


def test_leaving_closes_the_interval_and_says_goodbye(town: Town) -> None:
    town.write(at("subscribe"), by="carol")
    town.write(BOB, by="bob", subject="one", text="1")
    town.fetch()
    town.write(at("unsubscribe"), by="carol")
    goodbye, answer = town.fetch(NAMES.timeline("carol"))
    assert goodbye.controls == [Goodbye("bob", 2, 2)] and "no longer follow" in answer.text
    town.write(BOB, by="bob", subject="two", text="2")
    assert NAMES.timeline("carol") not in [mail.to for mail in town.fetch()]


def test_a_local_follower_who_leaves_is_told_afresh_each_time(town: Town) -> None:
    for generation in (1, 2):
        town.write(at("unsubscribe"), by="alice")
        goodbye, _ = town.fetch(NAMES.timeline("alice"))
        assert goodbye.controls == [Goodbye("bob", 1, generation)]


def test_a_follower_whose_timeline_moved_away_can_still_leave(town: Town) -> None:
    """She followed while her timeline was here, so there is no row; only her follow row knows."""
    town.write(at("subscribe"), by="alice")
    town.fetch()
    town.directory = zone("alice")
    town.write(at("unsubscribe"), by="alice")
    goodbye, _ = town.fetch(NAMES.timeline("alice"))
    assert goodbye.controls == [Goodbye("bob", 1, 2)]


def test_a_foreigner_leaves_after_a_word_of_hers(town: Town) -> None:
    town.write(at("subscribe"), by=EVE)
    town.confirm(EVE)
    town.fetch()
    town.write(at("unsubscribe"), by=EVE)
    assert rows(town) == [(EVE, "foreign", 1, 0)]  # nothing on the strength of a From field
    town.confirm(EVE)
    assert rows(town) == [(EVE, "foreign", 1, 1)]


def test_who_does_not_follow_is_told_so(town: Town) -> None:
    town.write(at("unsubscribe"), by=EVE)
    (answer,) = town.fetch(EVE)
    assert "does not follow" in answer.text and not answer.headers.has("reply-to")


def test_a_late_repeat_of_a_command_changes_nothing(town: Town) -> None:
    first = {"Message-ID": "<first@pen.test>"}
    town.write(at("subscribe"), by="carol", fields=first)
    town.write(at("unsubscribe"), by="carol")
    town.fetch()
    town.write(at("subscribe"), by="carol", fields=first)
    assert town.fetch() == [] and rows(town) == [("carol@fabric.test", "fabric", 1, 1)]


def test_mail_without_a_message_id_has_no_identity(town: Town) -> None:
    for detail in ("subscribe", "unsubscribe", "subscribe"):
        town.write(at(detail), by="carol", fields={"Message-ID": ""})
    assert rows(town)[-1][3] == 0


def test_bob_request_reads_subject_or_first_line(town: Town) -> None:
    town.write("bob-request@reflectors.fabric.test", by="carol", subject="Subscribe")
    town.write("bob-request@reflectors.fabric.test", by="carol", text="\r\nunsubscribe\r\n-- \r\nCarol\r\n")
    town.write("bob-request@reflectors.fabric.test", by="alice", text='subscribe folder="Big News"\r\n')
    controls = [mail.controls[0] for mail in town.fetch() if mail.controls]
    first, second = Welcome("bob", 1, 1, at="host-2"), Welcome("bob", 1, 3, "Big News", "host-1")
    assert controls == [first, Goodbye("bob", 1, 2), second]


def test_a_malformed_command_is_answered_with_help(town: Town) -> None:
    town.write("bob-request@reflectors.fabric.test", by="alice", subject="subscirbe plaese")
    (answer,) = town.fetch(NAMES.timeline("alice"))
    assert "could not read a command" in answer.text and "bob+subscribe@reflectors.fabric.test" in answer.text


def test_a_misspelt_address_is_a_malformed_command(town: Town) -> None:
    town.write(at("subscirbe"), by="alice", subject="subscribe", text="subscribe")
    (answer,) = town.fetch(NAMES.timeline("alice"))
    assert "could not read a command" in answer.text


def test_help_is_sent(town: Town) -> None:
    town.write(at("help"), by="alice", fields={"Message-ID": "<q@pen.test>"})
    (answer,) = town.fetch(NAMES.timeline("alice"))
    assert "to follow" in answer.text and answer.headers.get("in-reply-to") == "<q@pen.test>"
    assert answer.headers.get("auto-submitted") == "auto-replied"
    assert answer.headers.get("from").endswith("<bob+help@reflectors.fabric.test>")


def test_a_new_follower_gets_the_newest_posts_at_once() -> None:
    town = Town()
    town.control("times", CreateSource("times", "times", "Times", 2))
    for number in range(1, 5):
        town.write("times@reflectors.fabric.test", by="times", subject=f"n{number}", text=str(number))
    town.fetch()
    town.control("times", Subscribe("times", "carol@fabric.test", "Feeds"))
    welcome, *posts = town.fetch(NAMES.timeline("carol"))
    assert welcome.controls == [Welcome("times", 3, 1, "Feeds", "host-2")]
    assert [mail.post for mail in posts] == [3, 4] and all(mail.signed for mail in posts)
    assert town.bodies() == 2


def test_who_left_and_comes_back_gets_no_post_twice() -> None:
    town = Town()
    town.control("times", CreateSource("times", "times", "Times", 3))
    times = "times@reflectors.fabric.test"
    town.control("times", Subscribe("times", EVE))
    town.write(times, by="times", text="1")
    town.write("times+unsubscribe@reflectors.fabric.test", by=EVE)
    town.confirm(EVE)
    town.write(times, by="times", text="2")
    town.fetch()
    town.control("times", Subscribe("times", EVE))
    assert [mail.post for mail in town.fetch(EVE) if mail.post] == [2]


def test_a_room_may_subscribe_with_or_without_the_subscribers_word(town: Town) -> None:
    town.control("bob", Subscribe("bob", "carol@fabric.test"), Subscribe("bob", EVE, confirmed=False))
    assert rows(town) == [("carol@fabric.test", "fabric", 1, 0)]
    (question,) = town.fetch(EVE)
    assert question.headers.has("reply-to")


def test_a_late_repeat_of_a_rooms_word_changes_nothing(town: Town) -> None:
    town.control("bob", Subscribe("bob", EVE))
    town.write(at("unsubscribe"), by=EVE)
    town.confirm(EVE)
    town.letters = 2  # the first was bob's creation
    town.control("bob", Subscribe("bob", EVE), repeat=True)
    assert rows(town) == [(EVE, "foreign", 1, 1)]


def test_a_subscription_to_a_source_that_is_not_there_yet_waits(town: Town) -> None:
    assert isinstance(town.control("dora", Subscribe("dora", EVE)).outcome, Deferred)
    receipt = town.control("dora", CreateSource("dora", "dora"), Subscribe("dora", EVE))
    assert isinstance(receipt.outcome, Delivered) and len(rows(town)) == 1


def test_creating_twice_is_creating_once_and_never_for_another_owner(town: Town) -> None:
    town.write(BOB, by="bob", text="1")
    assert isinstance(town.control("bob", CreateSource("bob", "bob", "New title")).outcome, Delivered)
    assert is_refused(town.control("bob", CreateSource("bob", "eve")), "another owner")
    assert town.tx.one("SELECT owner, title, next_post FROM source") == ("bob", "New title", 2)
    assert [event["source"] for event in town.events("control-refused")] == ["bob"]


def test_a_removed_source_says_goodbye_and_its_numbers_are_never_used_again(town: Town) -> None:
    town.control("bob", Subscribe("bob", "carol@fabric.test"), Subscribe("bob", EVE))
    town.write(BOB, by="bob", text="1")
    town.fetch()
    town.control("bob", RemoveSource("bob"))
    (own,) = town.fetch("bob+leaf@host-1.fabric.test")  # whom no list names
    assert own.headers.get("heliograph-control").startswith("dissolve source=bob")
    (goodbye,) = town.fetch()
    assert goodbye.to == NAMES.timeline("carol") and goodbye.controls == [Goodbye("bob", 2, 3)]
    assert is_refused(town.write(BOB, by="bob", text="2"), "no bob")
    town.control("bob", CreateSource("bob", "bob"))
    town.write(BOB, by="bob", text="2")
    assert [(mail.to, mail.post) for mail in town.fetch()] == [("bob+leaf@host-1.fabric.test", 2)]


def test_a_full_list_says_so() -> None:
    town = Town(Settings(subscribers_max=1))
    town.control("bob", CreateSource("bob", "bob"), Subscribe("bob", "carol@fabric.test"))
    town.fetch()
    town.control("bob", Subscribe("bob", EVE))
    (answer,) = town.fetch(EVE)
    assert "no more followers" in answer.headers.get("subject") and len(rows(town)) == 1
    town.write(at("subscribe"), by="alice")  # a local follower is no row
    assert town.fetch(NAMES.timeline("alice"))[0].controls


def test_a_name_given_anew_belongs_to_its_new_owner(town: Town) -> None:
    town.control("bob", RemoveSource("bob"), CreateSource("bob", "robert"))
    assert is_refused(town.write(BOB, by="bob", text="x"), "only robert")


def test_a_follower_who_asks_again_keeps_what_she_follows_from(town: Town) -> None:
    town.write(at("subscribe"), by="carol")
    town.write(BOB, by="bob", text="1")
    town.fetch()
    town.write(at("subscribe"), by="carol")
    assert town.fetch()[0].controls == [Welcome("bob", 1, 2, at="host-2")]
