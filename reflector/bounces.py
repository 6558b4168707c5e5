"""Mail that comes back, at the door that its token names: counted, asked about, and in the end the subscription's end.

Law: a bounce is never answered. Its token names one row of one list; a token of a row that is closed, or of nobody's,
changes nothing. A complaint (RFC 5965) ends the subscription at once, also where another list serves her by now. Who
was removed may subscribe again.
"""

from __future__ import annotations

from dataclasses import replace

from mail.envelope import Outgoing, Receipt
from mail.outcome import Delivered
from reflector.answers import probe, voice
from reflector.command_words import Command
from reflector.commands import BUSY, obey
from reflector.digest import note_news, schedule
from reflector.expansion import return_domain
from reflector.leaving import find_row
from reflector.letter import Letter
from reflector.returned import Returned, read_returned, said_of
from reflector.routing import HERE, WAIT, place_in
from reflector.scoring import POINTS, Standing, after_probe, weighed
from reflector.settings import DAY_SECONDS
from reflector.sources import find_source, lists_of
from reflector.subscriptions import Subscriber, is_open_token, open_interval, read_subscriber
from reflector.tokens import make_token
from store import Transaction

NOTED = Delivered("2.0.0 Noted")


def take_bounce(letter: Letter) -> Receipt:
    """Take what came back to a subscriber's own return path."""
    token = letter.door.partition(".")[2]
    row, probed = _row(letter, token)
    address = row[1] if row else ""
    # What anybody can send, with a token that he made up, is not worth the time that reading takes.
    said = said_of(read_returned(letter.arrival.content), address) if row else Returned("other")
    letter.tell(
        "bounced", subscriber=address, sender=letter.arrival.sender, verdict=said.kind, status=said.status, probe=probed
    )
    source = find_source(letter.tx, row[0]) if row else None
    who = read_subscriber(letter.house.names, address) if address else None
    if source is None or who is None:
        return Receipt(NOTED)
    here = replace(letter, source=source)
    list_ = source.list
    follows = open_interval(letter.tx, list_, who.address) if probed else is_open_token(letter.tx, list_, token)
    if not follows and not _is_hers_elsewhere(here, who, said):
        return Receipt(NOTED)
    return _judge(here, who, said, probed)


def _is_hers_elsewhere(letter: Letter, who: Subscriber, said: Returned) -> bool:
    """A complaint about what was sent before she was handed over ends it wherever she is served now. Points do not
    follow her: an address that is dead comes back there too."""
    return said.kind == "complaint" and place_in(letter, who) != HERE


def _row(letter: Letter, token: str) -> tuple[tuple[str, str] | None, bool]:
    """Return (list, address) of a token, and whether it is of a question."""
    if not token:
        return None, False
    found = find_row(letter.tx, letter.source.name, token)
    if found:
        return found, False
    for list_ in lists_of(letter.tx, letter.source.name):
        row = letter.tx.one("SELECT address FROM bouncing WHERE list = ? AND probe = ?", (list_, token))
        if row:
            return (list_, row[0]), True
    return None, False


def _judge(letter: Letter, who: Subscriber, said: Returned, probed: bool) -> Receipt:
    if said.kind == "complaint":
        return _remove(letter, who, "complained", said)
    if said.kind not in POINTS:
        return Receipt(NOTED)
    before = find_standing(letter.tx, letter.source.list, who.address)
    if probed and said.kind == "dead":
        return _remove(letter, who, "removed", said)
    if probed:
        write_standing(letter.tx, letter.source.list, who.address, after_probe(before))
        return Receipt(NOTED)
    after = weighed(before, said.kind, letter.day, said.reason)
    asked: tuple[Outgoing, ...] = ()
    if after.wants_probe:
        after, asked = _ask(letter, who, after)
    write_standing(letter.tx, letter.source.list, who.address, after)
    schedule(letter.tx, letter.source.list, letter.arrival.now + DAY_SECONDS)
    return Receipt(NOTED, asked)


def _ask(letter: Letter, who: Subscriber, standing: Standing) -> tuple[Standing, tuple[Outgoing, ...]]:
    """Write to her alone, with a return path of its own: whether that comes back is not the posts' fault."""
    token = make_token(letter.house.key, "probe", letter.source.list, who.address, repr(letter.arrival.now))
    path = f"{letter.source.name}+bounce.{token}@{return_domain(letter.house, letter.source.list)}"
    letter.tell("probed", subscriber=who.address)
    asked = replace(standing, probe=token, probed=letter.arrival.now)
    return asked, (probe(letter, who, voice(letter).probe(), path),)


def _remove(letter: Letter, who: Subscriber, what: str, said: Returned) -> Receipt:
    if place_in(letter, who) == WAIT:
        return Receipt(BUSY)
    outgoing = obey(letter, who, Command("unsubscribe"), quiet=True)
    drop_standing(letter.tx, letter.source.list, who.address)
    note_news(letter.tx, letter.source.list, what, who.address, said.reason, letter.arrival.now)
    schedule(letter.tx, letter.source.list, letter.arrival.now + DAY_SECONDS)
    letter.tell(what, subscriber=who.address, reason=said.reason)
    return Receipt(NOTED, outgoing)


def find_standing(tx: Transaction, list_: str, address: str) -> Standing:
    sql = "SELECT score, today, day, probe, probed, reason FROM bouncing WHERE list = ? AND address = ?"
    row = tx.one(sql, (list_, address))
    return Standing(*row) if row else Standing()


def write_standing(tx: Transaction, list_: str, address: str, now: Standing) -> None:
    values = (list_, address, now.score, now.today, now.day, now.probe, now.probed, now.reason)
    tx.execute("INSERT OR REPLACE INTO bouncing VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


def drop_standing(tx: Transaction, list_: str, address: str) -> None:
    tx.execute("DELETE FROM bouncing WHERE list = ? AND address = ?", (list_, address))
