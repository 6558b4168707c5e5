"""What comes back: who is asked, who is removed, and who never is."""

from __future__ import annotations

import re

import pytest

from mail.control import CreateSource, Subscribe, Unsubscribe
from mail.outcome import Delivered
from reflector.scoring import POINTS_PER_DAY_MAX, PROBE_AT, Standing, weighed
from reflector.settings import DAY_SECONDS
from tests.reflector.town import NAMES, Sent, Town

BOB = "bob@reflectors.fabric.test"
EVE = "eve@pen.test"


def dsn(status: str, said: str, address: str = EVE, action: str = "failed") -> str:
    return (
        "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nIt did not work.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.pen.test\r\n\r\n"
        f"Final-Recipient: rfc822; {address}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; {said}\r\n\r\n--b--\r\n"
    )


GONE = dsn("5.1.1", "550 5.1.1 no such user")
FULL = dsn("5.2.2", "552 5.2.2 mailbox full")
BLOCKED = dsn("5.7.1", "550 5.7.1 blocked, see our policy")
BLOCKED_IN_DISGUISE = dsn("5.1.1", "550 5.1.1 your address is on a spam blacklist")
AWAY = "Subject: Out of office\r\nAuto-Submitted: auto-replied\r\n\r\nI am at the sea.\r\n"
COMPLAINT = (
    "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n"
    "--b\r\nContent-Type: text/plain\r\n\r\nA complaint.\r\n"
    "--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: x/1\r\nVersion: 1\r\n\r\n"
    "--b--\r\n"
)


@pytest.fixture
def followed(town: Town) -> Town:
    town.control("bob", Subscribe("bob", EVE))
    town.fetch()
    return town


def path(town: Town) -> str:
    """The return path of a new post to eve."""
    town.write(BOB, by="bob", text="x")
    (post,) = town.fetch(EVE)
    town.fetch()
    return post.sender


def come_back(town: Town, to: str, content: str) -> list[Sent]:
    receipt = town.deliver(to, f"From: MAILER-DAEMON@pen.test\r\n{content}".encode(), "")
    assert isinstance(receipt.outcome, Delivered)
    return town.fetch()


def follows(town: Town) -> bool:
    town.write(BOB, by="bob", text="are you there?")
    return any(mail.to == EVE for mail in town.fetch())


def days(town: Town, content: str, count: int) -> list[Sent]:
    """The same comes back once a day; return what was sent because of it."""
    sent = []
    for _ in range(count):
        to = path(town)
        sent += come_back(town, to, content)
        town.now += DAY_SECONDS
    return sent


def work(town: Town) -> list[Sent]:
    for outgoing in town.room.work(town.tx, town.now):
        town._send(outgoing)
    return town.fetch()


def test_a_dead_mailbox_is_asked_first_and_removed_when_that_comes_back(followed: Town) -> None:
    assert days(followed, GONE, 3) == []
    (question,) = days(followed, GONE, 1)
    assert question.to == EVE and question.sender.startswith("bob+bounce.")
    assert follows(followed) and days(followed, GONE, 5) == []  # it is asked once
    assert come_back(followed, question.sender, GONE) == []
    assert not follows(followed)
    followed.now += DAY_SECONDS
    (told,) = work(followed)
    assert told.to == NAMES.timeline("bob") and EVE in told.text and "no such user" in told.text
    followed.now += 2 * DAY_SECONDS
    assert work(followed) == []  # told once

    followed.control("bob", Subscribe("bob", EVE))  # she is back
    followed.fetch()
    assert follows(followed) and days(followed, GONE, 3) == []  # and begins anew


def test_a_day_counts_once(followed: Town) -> None:
    to = path(followed)
    for _ in range(50):
        assert come_back(followed, to, GONE) == []
    assert follows(followed)


def test_a_full_mailbox_is_asked_late_and_stays(followed: Town) -> None:
    sent = days(followed, FULL, 16)
    assert len(sent) == 1 and sent[0].to == EVE
    assert come_back(followed, sent[0].sender, FULL) == [] and follows(followed)
    assert len(days(followed, FULL, 8)) == 1  # half of the way is gone again


@pytest.mark.parametrize("content", [BLOCKED, BLOCKED_IN_DISGUISE, AWAY, dsn("4.4.1", "no answer", action="delayed")])
def test_policy_replies_and_delays_never_count(followed: Town, content: str) -> None:
    assert days(followed, content, 60) == [] and follows(followed)
    assert followed.tx.one("SELECT count(*) FROM bouncing") == (0,)


def test_a_question_that_arrives_ends_it(followed: Town) -> None:
    (question,) = days(followed, GONE, 4)
    for _ in range(9):
        followed.now += DAY_SECONDS
        assert work(followed) == []
    assert followed.tx.one("SELECT count(*) FROM bouncing") == (0,)
    assert come_back(followed, question.sender, GONE) == [] and follows(followed)  # too late to count


def test_a_complaint_ends_it_at_once(followed: Town) -> None:
    assert come_back(followed, path(followed), COMPLAINT) == []
    assert not follows(followed)
    followed.now += DAY_SECONDS
    assert "complained" in work(followed)[0].text


def test_a_token_counts_for_its_own_row_only(followed: Town) -> None:
    followed.control("alice", CreateSource("alice", "alice"), Subscribe("alice", EVE))
    followed.fetch()
    to = path(followed)
    token = re.findall(r"\.([a-z2-7]{24})@", to)[0]
    wrong = [to.replace(token, token[:at] + ("a" if token[at] != "a" else "b") + token[at + 1 :]) for at in range(24)]
    for other in [*wrong, to.replace("bob+", "alice+")]:
        assert come_back(followed, other, COMPLAINT) == []
    assert follows(followed) and followed.tx.one("SELECT count(*) FROM news") == (0,)


def test_a_token_of_before_counts_no_more(followed: Town) -> None:
    to = path(followed)
    followed.write("bob+unsubscribe@reflectors.fabric.test", by=EVE)
    (question,) = followed.fetch(EVE)
    followed.write(question.headers.get("reply-to"), by=EVE)
    followed.fetch()
    followed.control("bob", Subscribe("bob", EVE))
    followed.fetch()
    assert come_back(followed, to, COMPLAINT) == [] and follows(followed)


def test_who_left_is_not_removed_as_well(followed: Town) -> None:
    to = path(followed)
    token = re.findall(r"\.([a-z2-7]{24})@", to)[0]
    followed.write(f"bob+leave.{token}@reflectors.fabric.test", by=EVE)
    assert [mail.headers.get("subject") for mail in followed.fetch(EVE)] == ["You no longer follow Bob's news"]
    assert not follows(followed) and come_back(followed, to, COMPLAINT) == []
    assert followed.tx.one("SELECT count(*) FROM news") == (0,)


def test_who_leaves_takes_what_her_mailbox_did_along(followed: Town) -> None:
    for day in range(3):
        followed.now += DAY_SECONDS * day
        come_back(followed, path(followed), GONE)
    assert followed.tx.one("SELECT score FROM bouncing") == (3.0,)
    followed.control("bob", Unsubscribe("bob", EVE))
    assert followed.tx.one("SELECT count(*) FROM bouncing") == (0,)
    followed.control("bob", Subscribe("bob", EVE))
    followed.fetch()
    followed.now += DAY_SECONDS
    assert come_back(followed, path(followed), GONE) == []  # the first of four, and no question yet


def test_a_token_of_nobody_s_is_not_worth_reading(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reflector.bounces.read_returned", lambda content: pytest.fail("it was read"))
    assert come_back(town, f"bob+bounce.{'a' * 24}@reflectors.fabric.test", GONE) == []
    assert [event["verdict"] for event in town.events("bounced")] == ["other"]


def test_a_thousand_bounces_of_nobody_lead_to_nothing(town: Town) -> None:
    for number in range(1_000):
        token = f"{number:024d}".translate(str.maketrans("0189", "abcd"))
        assert come_back(town, f"bob+bounce.{token}@reflectors.fabric.test", GONE) == []
    assert town.tx.one("SELECT count(*) FROM bouncing") == (0,)


def test_a_day_has_one_point_whatever_comes() -> None:
    now = Standing()
    for kind in ("weak", "dead", "weak", "dead", "policy", "dead"):
        now = weighed(now, kind, 20_000, "")  # type: ignore[arg-type]
    assert now.score == now.today == POINTS_PER_DAY_MAX < PROBE_AT
    assert weighed(now, "dead", 20_100, "").score == 1.0  # a season without any is a new beginning
