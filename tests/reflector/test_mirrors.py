"""Both ends of a mirror as the reflectors' room has them, with a clock: what is said, believed and ended."""

from __future__ import annotations

import pytest

from directory.names import Reflector
from mail.address import parse_address
from mail.between_fabrics import FIELD, Word, read_word
from mail.control import CreateSource
from mail.headers import Headers
from mail.tree_control import Report
from reflector.mirrors import FOLLOWING, LEAVING, REFUSED, Mirror, find_mirror
from reflector.settings import Settings
from tests.reflector.town import LOCAL, NAMES, REMOTE, Sent, Town, is_refused, zone

MIRROR = "ann=north.test"
ANN = "ann@reflectors.north.test"
HERE = NAMES.reflector(MIRROR)
NORTH = {"Heliograph-Authenticated": "@north.test"}
DAY = 86_400.0


@pytest.fixture
def followed(town: Town) -> Town:
    """Alice of this host follows ann@north.test, which has agreed."""
    town.write(NAMES.reflector(MIRROR, "subscribe"), by=LOCAL)
    answer(town, "following")
    assert mirror(town).state == FOLLOWING
    town.fetch()
    return town


def name_of(address: str) -> Reflector:
    name = NAMES.classify(parse_address(address))
    assert isinstance(name, Reflector)
    return name


def mirror(town: Town) -> Mirror:
    found = find_mirror(town.tx, MIRROR)
    assert found
    return found


def answer(town: Town, word: str, number: int = 0, sender: str = "ann+help@reflectors.north.test") -> None:
    said = str(Word(word, number or mirror(town).wish))
    town.write(HERE, by=sender, sender="", fields={**NORTH, FIELD: said}, host="host-2")


def post(town: Town, number: int, **more: str) -> None:
    fields = {**NORTH, FIELD: str(Word("post", number)), "List-Id": "Ann <ann.reflectors.north.test>"}
    fields |= {name.replace("_", "-"): value for name, value in more.items()}
    town.write(HERE, by=ANN, subject=f"post {number}", fields=fields, host="host-2")


def wishes(town: Town) -> list[str]:
    """What was said to north since the last look."""
    mails = [mail for mail in town.fetch() if mail.to.endswith("@reflectors.north.test")]
    words = [read_word(mail.headers.all(FIELD)) for mail in mails]
    assert all(
        word and mail.to == f"ann+{word.word}@reflectors.north.test" for word, mail in zip(words, mails, strict=True)
    )
    return [word.word for word in words if word]


def posts(town: Town) -> list[Sent]:
    return [mail for mail in town.fetch() if mail.post]


def work(town: Town) -> None:
    """Let the lists do what is due; what they write goes out."""
    for outgoing in town.room.work(town.tx, town.now):
        town._send(outgoing)


def count(town: Town, followers: int) -> None:
    """The hosts are asked how many follow there, and say so."""
    work(town)
    asked = [mail.to for mail in town.fetch() if "+leaf@" in mail.to]
    assert asked == [NAMES.leaf(MIRROR, "host-1"), NAMES.leaf(MIRROR, "host-2")]
    for host, here in (("host-1", followers), ("host-2", 0)):
        said = Report(MIRROR, 0, here, here, 0, 0, "", host=host)
        town.control(MIRROR, said, host=host)
    work(town)


def test_a_wish_is_a_machines_mail_in_fields_that_are_sealed(town: Town) -> None:
    town.write(NAMES.reflector(MIRROR, "subscribe"), by=LOCAL)
    (wish,) = (mail for mail in town.fetch() if mail.to.endswith("north.test"))
    assert wish.headers.get("from") == HERE and not wish.signed
    assert wish.headers.get("auto-submitted") == "auto-generated"
    assert (
        wish.sender.startswith(f"{MIRROR}+no.") and LOCAL not in wish.content.decode()
    )  # who asked is nobody's business


def test_another_follower_asks_nothing_upstream(followed: Town) -> None:
    followed.write(NAMES.reflector(MIRROR, "subscribe"), by=REMOTE)
    assert wishes(followed) == []
    post(followed, 7)
    assert sorted(mail.to for mail in posts(followed)) == sorted([NAMES.leaf(MIRROR, "host-1"), NAMES.timeline(REMOTE)])


def test_upstream_numbers_are_taken_once_and_ours_are_our_own(followed: Town) -> None:
    for number in (7, 5, 7, 5, 6):
        post(followed, number)
    assert [(mail.headers.get("subject"), mail.post) for mail in posts(followed)] == [
        ("post 7", 1),
        ("post 5", 2),
        ("post 6", 3),
    ]
    post(followed, 20_000)
    post(followed, 9_999)  # older than what is remembered: it may be a repeat
    assert [mail.headers.get("subject") for mail in posts(followed)] == ["post 20000"]
    assert followed.tx.all("SELECT post FROM mirrored_post") == [(20_000,)]


def test_a_post_that_was_here_ends_its_ring(followed: Town) -> None:
    post(followed, 1, X_Loop=HERE)
    assert posts(followed) == [] and followed.events("mirror-dropped")[-1]["reason"] == "own X-Loop"


@pytest.mark.parametrize(
    "fields",
    [
        {"Heliograph-Authenticated": "@east.test"},
        {"Heliograph-Authenticated": "bob"},
        {"From": "bob@north.test"},
        {"List-Id": "<bob.reflectors.north.test>"},
        {"List-Id": "<ann.reflectors.north.test> <x.test>"},
        {FIELD: "v=1; word=post; number=0"},
        {FIELD: "v=1; word=unheard; number=1"},
    ],
)
def test_what_is_no_post_of_hers(followed: Town, fields: dict[str, str]) -> None:
    post(followed, 1, **fields)
    assert posts(followed) == []


def test_an_answer_is_for_the_last_wish_and_from_the_list(town: Town) -> None:
    town.write(NAMES.reflector(MIRROR, "subscribe"), by=LOCAL)
    first = mirror(town).wish
    town.now += DAY
    count(town, 1)
    assert mirror(town).wish == int(town.now * 1000) > first  # no old copy of a database says a number twice
    answer(town, "following", first)
    answer(town, "following", sender="ann@reflectors.north.test")
    assert mirror(town).state == "asking"
    answer(town, "left")  # of a wish to follow
    answer(town, "following")
    assert mirror(town).state == FOLLOWING


def test_who_does_not_answer_is_asked_ever_more_rarely_and_followers_are_told_once(town: Town) -> None:
    town.write(NAMES.reflector(MIRROR, "subscribe"), by=LOCAL)
    asked, told = 1, 0
    town.fetch()
    for _ in range(24 * 14):  # two weeks of hours
        town.now += 3_600
        if mirror(town).due <= town.now:
            count(town, 1)
            mails = town.fetch()
            asked += sum(mail.to == "ann+subscribe@reflectors.north.test" for mail in mails)
            told += sum("does not answer" in mail.content.decode() for mail in mails)
    assert 10 <= asked <= 25 and told == 1


def test_an_upstream_that_is_full_refuses_and_may_think_better_of_it(town: Town) -> None:
    town.write(NAMES.reflector(MIRROR, "subscribe"), by=LOCAL)
    town.fetch()
    answer(town, "full")
    (told,) = posts(town)
    assert "list is full" in told.text and told.to == NAMES.leaf(MIRROR, "host-1") and mirror(town).state == REFUSED
    town.now += 3 * DAY
    count(town, 1)
    assert wishes(town) == ["subscribe"]
    answer(town, "full")
    assert posts(town) == []  # told once
    answer(town, "following")
    assert mirror(town).state == FOLLOWING


def test_what_comes_back_counts_with_its_token_alone(town: Town) -> None:
    town.write(NAMES.reflector(MIRROR, "subscribe"), by=LOCAL)
    (wish,) = (mail for mail in town.fetch() if mail.to.endswith("north.test"))
    bounce = (
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n--x\r\n\r\nno\r\n--x\r\n"
        b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
        b"Final-Recipient: rfc822; ann+subscribe@reflectors.north.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        b"Diagnostic-Code: smtp; 550 no such source here\r\n\r\n--x--\r\n"
    )
    token = wish.sender.partition("+no.")[2].partition("@")[0]
    wrong = wish.sender.replace(token, "a" * len(token))
    assert not town.room.knows(town.tx, name_of(wrong))
    town.deliver(wrong, bounce, "")
    assert mirror(town).state == "asking" and posts(town) == []
    assert town.room.knows(town.tx, name_of(wish.sender))
    town.deliver(wish.sender, bounce, "")
    assert mirror(town).state == REFUSED and "no such source" in posts(town)[0].text


def test_it_ends_when_the_hosts_have_nobody_and_goes_on_with_its_numbers(followed: Town) -> None:
    town = followed
    post(town, 1)
    town.write(NAMES.reflector(MIRROR, "unsubscribe"), by=LOCAL)
    town.fetch()
    assert not town.room.is_due(town.tx, town.now)  # people change their minds
    town.now += 601
    count(town, 1)  # somebody is left on host-1, whom this list does not know
    assert mirror(town).state == FOLLOWING and wishes(town) == []
    town.write(NAMES.reflector(MIRROR, "unsubscribe"), by=LOCAL, subject="again")
    town.fetch()
    town.now += 601
    count(town, 0)
    assert mirror(town).state == LEAVING and wishes(town) == ["unsubscribe"]
    post(town, 2)
    assert wishes(town) == []
    town.now += DAY + 1
    post(town, 3)
    assert wishes(town) == ["unsubscribe"]  # said again: the upstream goes on
    answer(town, "left")
    assert mirror(town).state == "ended"
    town.write(NAMES.reflector(MIRROR, "subscribe"), by=LOCAL)
    assert wishes(town) == ["subscribe"]
    post(town, 3)
    post(town, 4)
    assert [(mail.headers.get("subject"), mail.post) for mail in posts(town)] == [("post 3", 2), ("post 4", 3)]


def test_a_count_that_somebody_came_during_ends_nothing(followed: Town) -> None:
    town = followed
    town.write(NAMES.reflector(MIRROR, "unsubscribe"), by=LOCAL)
    town.now += 601
    work(town)
    for host in ("host-1", "host-2"):
        town.control(MIRROR, Report(MIRROR, 0, 0, 0, 0, 0, "", host=host), host=host)
    town.write(NAMES.reflector(MIRROR, "subscribe"), by=LOCAL)  # before the end is drawn
    work(town)
    assert mirror(town).state == FOLLOWING


def test_a_welcome_that_is_on_its_way_counts(followed: Town) -> None:
    town = followed
    town.write(NAMES.reflector(MIRROR, "subscribe"), by=REMOTE)
    town.write(NAMES.reflector(MIRROR, "unsubscribe"), by=LOCAL)
    town.fetch()
    town.now += 601
    count(town, 0)
    assert mirror(town).state == FOLLOWING and wishes(town) == []


def test_who_came_to_live_here_was_told_long_ago(followed: Town) -> None:
    """The list moved to her host, or she to the list's: what it told her by mail then is closed by nothing."""
    town = followed
    town.write(NAMES.reflector(MIRROR, "subscribe"), by=REMOTE)
    town.directory = zone()
    for who in (LOCAL, REMOTE):
        town.write(NAMES.reflector(MIRROR, "unsubscribe"), by=who)
    town.fetch()
    town.now += 601
    count(town, 0)
    assert wishes(town) == ["unsubscribe"]


def test_a_host_that_does_not_say_keeps_it(followed: Town) -> None:
    town = followed
    town.write(NAMES.reflector(MIRROR, "unsubscribe"), by=LOCAL)
    for _ in range(5):
        town.now += 3_700
        work(town)
        town.control(MIRROR, Report(MIRROR, 0, 0, 0, 0, 0, "", host="host-1"), host="host-1")
    assert mirror(town).state == FOLLOWING


def test_nobody_founds_mirrors_without_end(town: Town) -> None:
    answers = [town.write(NAMES.reflector(f"s{n}=north.test", "subscribe"), by=LOCAL) for n in range(101)]
    assert not is_refused(answers[99]) and is_refused(answers[100], "5.7.1", "tomorrow")
    town.now += DAY + 1
    assert not is_refused(town.write(NAMES.reflector("t=north.test", "subscribe"), by=LOCAL))


# The other end: bob of this fabric, whom others mirror.

TO_BOB = NAMES.reflector("bob", "subscribe")
THERE = "bob=fabric.test@reflectors.north.test"


def ask(town: Town, word: str, number: int, sender: str = THERE, fabric: str = "@north.test") -> list[Sent]:
    fields = {"Heliograph-Authenticated": fabric, FIELD: str(Word(word, number)), "Auto-Submitted": "auto-generated"}
    town.write(NAMES.reflector("bob", word), by=sender, fields=fields, host="host-2")
    return town.fetch()


def test_a_fabric_is_one_follower_and_is_answered_by_a_machine(town: Town) -> None:
    (said,) = ask(town, "subscribe", 5)
    assert said.to == THERE and said.sender == "" and read_word(said.headers.all(FIELD)) == Word("following", 5)
    assert ask(town, "subscribe", 5) == [] and ask(town, "unsubscribe", 4) == []
    (again,) = ask(town, "subscribe", 6)
    assert read_word(again.headers.all(FIELD)) == Word("following", 6)
    assert town.tx.all("SELECT address FROM subscriber") == [(THERE,)]
    (gone,) = ask(town, "unsubscribe", 7)
    assert read_word(gone.headers.all(FIELD)) == Word("left", 7) and ask(town, "subscribe", 6) == []


@pytest.mark.parametrize(
    "sender",
    [
        "bob=fabric.test@reflectors.east.test",
        "eve=fabric.test@reflectors.north.test",
        "bob=other.test@reflectors.north.test",
        "bob@reflectors.north.test",
        "bob=fabric.test@north.test",
        "bob=fabric.test+x@reflectors.north.test",
        "",
    ],
)
def test_a_fabric_speaks_for_its_own_mirror_of_this_source_alone(town: Town, sender: str) -> None:
    assert ask(town, "subscribe", 5, sender) == [] and town.tx.all("SELECT 1 FROM subscriber") == []


def test_a_full_list_says_so() -> None:
    full = Town(Settings(subscribers_max=0))
    full.control("bob", CreateSource("bob", "bob"))
    (said,) = ask(full, "subscribe", 5)
    assert read_word(said.headers.all(FIELD)) == Word("full", 5)


def test_a_writers_own_field_does_not_leave_with_a_post(town: Town) -> None:
    ask(town, "subscribe", 5)
    town.write(NAMES.reflector("bob"), by="bob", text="x", fields={FIELD: "v=1; word=post; number=99"})
    (sent,) = (mail for mail in town.fetch() if mail.to == THERE)
    assert not Headers.parse(sent.content.partition(b"\r\n\r\n")[0]).has(FIELD)


@pytest.mark.parametrize("word", ["subscribe", "unsubscribe"])
def test_a_machine_founds_no_mirror_and_is_not_answered(town: Town, word: str) -> None:
    town.write(NAMES.reflector(MIRROR, word), by=LOCAL, fields={"Auto-Submitted": "auto-replied"})
    assert find_mirror(town.tx, MIRROR) is None and town.fetch() == []


def test_a_letter_that_comes_twice_founds_no_mirror_again(town: Town) -> None:
    town.write(NAMES.reflector(MIRROR, "subscribe"), by=LOCAL)
    first = town.letters
    answer(town, "following")
    town.write(NAMES.reflector(MIRROR, "unsubscribe"), by=LOCAL)
    town.now += town.settings.mirror_grace_seconds
    count(town, 0)
    assert mirror(town).state == LEAVING
    town.fetch()
    town.letters = first
    town.write(NAMES.reflector(MIRROR, "subscribe"), by=LOCAL, repeat=True)
    assert mirror(town).state == LEAVING and wishes(town) == []


def test_an_upstream_gathers_no_receipts_from_our_readers(followed: Town) -> None:
    asks = ("Disposition_Notification_To", "Return_Receipt_To", "X_Confirm_Reading_To", "Bcc")
    post(followed, 1, **dict.fromkeys(asks, "spy@north.test"))
    (mail,) = posts(followed)
    assert b"spy@" not in mail.content and mail.headers.has("list-id")
