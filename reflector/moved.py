"""A leaf tells of followers who lived with it and moved to other hosts: from now on the list serves them.

Law: believed of an account from a host that owns its bucket, or did lately. The list has no row of them; it makes one,
unless they live behind a leaf again, and answers with its next post's number: below it their old host passes on, from
it on they are served here. What this list told a follower later than the leaf knew counts more.
"""

from __future__ import annotations

from mail.address import is_entity
from mail.envelope import Arrival, Receipt
from mail.follower_rows import Row, digest_of
from mail.outcome import Deferred, Delivered, Outcome, Refused
from mail.tree_control import Moved, Settled
from reflector.commands import BUSY
from reflector.letter import House
from reflector.nodes import count_at_leaf, look_at
from reflector.routing import WAIT, place_of
from reflector.sources import is_buried
from reflector.subscriptions import Subscriber, is_handed_over, last_generation, open_interval, subscribe
from reflector.tables import OPEN
from reflector.told import newest_word
from reflector.tree import LEAF
from reflector.tree_mail import branch_address, needs_no_row, write
from store import Transaction, events


def take_moved(house: House, tx: Transaction, arrival: Arrival, list_: str, word: Moved, rows: list[Row]) -> Receipt:
    """Serve who moved; say from which post on."""
    if doubt := _doubt(house, tx, list_, word, rows):
        return Receipt(doubt)
    # Of a source that is gone too: nothing comes after its last post.
    row = tx.one("SELECT next_post FROM source WHERE name = ?", (list_,))
    if row is None:
        return Receipt(Deferred("4.2.1 This source is not here yet"))
    if not is_buried(tx, list_):
        taken = sum(_take(house, tx, list_, one) for one in rows)
        count_at_leaf(tx, list_, word.host, -len(rows))
        look_at(tx, list_, arrival.now)
        events.append(tx, arrival.now, "followers-moved", source=list_, host=word.host, rows=taken, since=row[0])
    answer = Settled(word.source, word.upto, digest_of(rows), int(row[0]), word.host)
    to = branch_address(house, list_, LEAF, word.host)
    return Receipt(Delivered("2.0.0 Ok"), write(house, [to], answer, arrival.now))


def _doubt(house: House, tx: Transaction, list_: str, word: Moved, rows: list[Row]) -> Outcome | None:
    """An older zone would have them where they lived; and whoever is asked back from a leaf may be on that list."""
    if house.directory.serial < word.serial:
        return Deferred(f"4.7.1 The zone here has serial {house.directory.serial}, older than {word.serial}")
    for row in rows:
        if not is_entity(row.who):
            return Refused(f"5.5.4 {row.who[:40]!r} is nobody of this fabric")
        if not house.directory.spoke_for("timeline", house.names.bucket(row.who), word.host):
            return Deferred(f"4.7.1 {word.host} does not speak for {row.who}")
        who = _subscriber(house, row.who)
        if place_of(house, tx, list_, who) == WAIT or is_handed_over(tx, list_, who.address):
            return BUSY
    return None


def _take(house: House, tx: Transaction, list_: str, row: Row) -> bool:
    who = _subscriber(house, row.who)
    if open_interval(tx, list_, who.address):
        return False
    newest = newest_word(tx, list_, row.who)
    if newest and newest[1].generation > row.generation:
        if newest[0] != OPEN:
            return False
        row = newest[1]
    elif last_generation(tx, list_, who.address) > row.generation:
        return False
    if needs_no_row(house, tx, list_, row.who):
        count_at_leaf(tx, list_, house.home(row.who), 1)
        return False
    subscribe(tx, list_, who, row.from_post, row.generation, "", row.folder)
    return True


def _subscriber(house: House, entity: str) -> Subscriber:
    return Subscriber(house.names.person(entity), entity)
