"""What mirrors do by themselves, when their time has come.

Law: one step a mirror; what comes next stands in its row.
"""

from __future__ import annotations

from dataclasses import replace

from reflector.letter import House
from reflector.mirroring import ask, count, counted, end
from reflector.mirrors import NEVER, Mirror, find_mirror, write_mirror
from reflector.sources import find_source
from reflector.tables import HERE
from reflector.tree_mail import Mails
from store import Transaction

MIRRORS_AT_ONCE = 4  # in one step: each writes to every host at most
CENSUS_AGAIN_SECONDS = 3_600.0  # a host that did not say how many follow there is away


def tend_mirrors(house: House, tx: Transaction, now: float) -> Mails:
    due = f"SELECT list FROM mirror WHERE due <= ? AND {HERE} ORDER BY due LIMIT ?"
    found = [find_mirror(tx, list_) for (list_,) in tx.all(due, (now, MIRRORS_AT_ONCE))]
    return tuple(mail for mirror in found if mirror for mail in _tend(house, tx, mirror, now))


def _tend(house: House, tx: Transaction, mirror: Mirror, now: float) -> Mails:
    """Count first: a mirror that nobody follows asks for nothing."""
    if not mirror.wants or find_source(tx, mirror.list) is None:
        write_mirror(tx, replace(mirror, due=NEVER))
        return ()
    if not mirror.census:
        return count(house, tx, mirror, now)
    followers = counted(house, tx, mirror)
    if followers == 0:
        return end(house, tx, mirror, now)
    if now >= mirror.renew:
        return ask(house, tx, mirror, now)
    again = mirror.renew if followers else now + CENSUS_AGAIN_SECONDS
    write_mirror(tx, replace(mirror, census=0.0, due=min(again, mirror.renew)))
    return ()
