"""How often we write to whom: what keeps a reflector from being made to pester somebody.

Law: an address that only a From field gave gets one mail of a purpose per source and day, and `stranger_mails_per_day`
over all sources of this host; a signed-in user gets `answers_per_day` per source. What is beyond is not sent, and the
first time said in the events. Days are UTC's. eve+1@ and eve+2@ are counted as eve@.
"""

from __future__ import annotations

from mail.envelope import Outgoing
from reflector.answers import answer
from reflector.letter import Letter
from reflector.subscriptions import Subscriber
from reflector.texts import Text

STRANGER_MAILS_PER_PURPOSE = 1
ANSWERS = "answers"  # the purpose that all answers to a signed-in user are counted under


def reply(letter: Letter, who: Subscriber, text: Text, *, proven: bool) -> tuple[Outgoing, ...]:
    """Answer, if that is not one answer too many. `proven`: she signed in, or held a token."""
    return (answer(letter, who, text),) if may_write(letter, who, text.purpose, proven=proven) else ()


def may_write(letter: Letter, who: Subscriber, purpose: str, *, proven: bool) -> bool:
    """Count one more mail to an address, if it may be sent."""
    if proven:
        return _count(letter, who, ANSWERS, letter.house.settings.answers_per_day)
    today = letter.house.settings.stranger_mails_per_day - _sent_today(letter, who)
    return _count(letter, who, purpose, min(STRANGER_MAILS_PER_PURPOSE, _sent(letter, who, purpose) + max(today, 0)))


def forget_asking(letter: Letter, who: Subscriber) -> None:
    """She confirmed, so these mails were wanted: the next command of this day may ask again."""
    letter.tx.execute(
        "DELETE FROM asked WHERE day = ? AND address = ? AND source = ?",
        (letter.day, _mailbox(who), letter.source.name),
    )


def _count(letter: Letter, who: Subscriber, purpose: str, most: int) -> bool:
    sent = _sent(letter, who, purpose)
    allowed = sent < most
    row = letter.tx.one(
        "INSERT INTO asked VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT DO UPDATE"
        " SET sent = sent + excluded.sent, asked = asked + 1 RETURNING asked - sent",
        (letter.day, _mailbox(who), letter.source.name, purpose, int(allowed)),
    )
    if row == (1,) and not allowed:
        letter.tell("hushed", address=who.address, purpose=purpose)
    return allowed


def _sent(letter: Letter, who: Subscriber, purpose: str) -> int:
    row = letter.tx.one(
        "SELECT sent FROM asked WHERE day = ? AND address = ? AND source = ? AND purpose = ?",
        (letter.day, _mailbox(who), letter.source.name, purpose),
    )
    return int(row[0]) if row else 0


def _sent_today(letter: Letter, who: Subscriber) -> int:
    row = letter.tx.one(
        "SELECT coalesce(sum(sent), 0) FROM asked WHERE day = ? AND address = ? AND purpose <> ?",
        (letter.day, _mailbox(who), ANSWERS),
    )
    assert row is not None
    return int(row[0])


def _mailbox(who: Subscriber) -> str:
    """Whose mailbox it is: with most providers all of eve+1@, eve+2@ ... reach eve@ (RFC 5233), and so would a bomb."""
    local, _, domain = who.address.rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain}"
