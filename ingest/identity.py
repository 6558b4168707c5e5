"""Which items of a document are new, and what each is called for ever.

Law: an item is one post, whatever becomes of its guid, its link or its title. It is known if its guid is known; or
its link is, where no other item of the document has that link; or its title and text are, where they are long enough
to tell. Pure: what was seen comes in, what is to be done goes out.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from ingest.items import Familiar, Listed
from ingest.seen import Seen

FLOOD_ITEMS_MIN = 8  # of 32 floods in one planet's history none had fewer
FLOOD_SENT = 3
NAME_MAX = 2**47 - 1  # a key's
EDITS_MAX = 3  # told of one poll: an author mends the newest
SENT_MAX = 50  # posts of one poll; what is beyond comes with the next, so that one transaction stays short


@dataclass(frozen=True, slots=True)
class Verdict:
    """`send`: places in the document, oldest first, with each one's name; `mark`: all that is seen from now on.

    `left`: so many new items wait for the next poll. `edited`: places of known items whose words changed.
    """

    send: tuple[tuple[int, int], ...]
    mark: tuple[Seen, ...]
    left: int = 0
    edited: tuple[tuple[int, int], ...] = ()


def recall(items: Iterable[Listed | Familiar], seen: Iterable[Seen]) -> list[Listed]:
    """Return a document's items with their keys; those of familiar ones were kept."""
    known = {each.raw: each for each in seen if each.raw is not None}

    def remembered(each: Familiar) -> Listed:
        old = known[each.raw]
        return Listed(old.k1, old.k2, old.k3, False, each.date, each.raw, old.item)

    return [each if isinstance(each, Listed) else remembered(each) for each in items]


def judge(
    listed: Sequence[Listed], seen: Iterable[Seen], *, day: int, last_post_at: float, backlog: int | None
) -> Verdict:
    """Decide what is posted. `backlog`: of a new feed that many are; None for a feed that is followed already."""
    known, keys = _Known(seen), _trusted(listed)
    places = sorted(keys, key=lambda place: known.strength(keys[place]))
    flood = sum(known.find(key) is None for key in keys.values()) >= max(FLOOD_ITEMS_MIN, len(keys) / 2)
    fresh: dict[int, int] = {}  # name -> place
    marks: dict[int, Seen] = {}
    edited: dict[int, int] = {}
    for place in places:  # the surest first: what two items of the document match, belongs to the surer
        key = keys[place]
        item = known.find(key, flood=flood and backlog is None)
        if item is None:
            item = key.name
            fresh[item] = place
        elif item in marks:
            item = _beside(key.name, marks)
        elif known.says_otherwise(item, key):
            edited[item] = place
        marks[item] = known.add(item, key, day)
    order = _oldest_first(listed, fresh)
    sent = _sent(listed, order, flood=flood, last_post_at=last_post_at, backlog=backlog)
    now, later = sent[:SENT_MAX], sent[SENT_MAX:]
    for _, item in later:
        del marks[item]
    return Verdict(tuple(now), tuple(marks.values()), len(later), _told_edits(listed, edited))


class _Key(NamedTuple):
    """An item's keys as far as they can be trusted in this document, and its name if it is new."""

    k1: int | None
    k2: int | None
    k3: int
    telling: bool
    raw: int | None  # only where nothing was distrusted: an item that is known by it is judged by the same keys
    item: int | None

    @property
    def name(self) -> int:
        return self.k1 if self.k1 is not None else self.k2 if self.k2 is not None else self.k3


class _Known:
    """What was seen, by each key; it grows while a document is judged."""

    def __init__(self, seen: Iterable[Seen]) -> None:
        self._by_k1: dict[int, int] = {}
        self._by_k2: dict[int, int] = {}
        self._by_k3: dict[int, int] = {}
        self._items: dict[int, Seen] = {}
        for each in seen:
            self._index(each)
        self._before = dict(self._by_k3)

    def add(self, item: int, key: _Key, day: int) -> Seen:
        """Learn an item's keys of today; one that it has not today (or that cannot be trusted today) stays."""
        old = self._items.get(item)
        k1 = old.k1 if old and key.k1 is None else key.k1
        k2 = old.k2 if old and key.k2 is None else key.k2
        raw = key.raw if (k1, k2) == (key.k1, key.k2) else None
        seen = Seen(item, k1, k2, key.k3, day, raw)
        if old is None or (old.k1, old.k2, old.k3) != (k1, k2, key.k3):
            self._index(seen)
        return seen

    def says_otherwise(self, item: int, key: _Key) -> bool:
        """Tell whether a known item has other words than when it was last seen."""
        return self._items[item].k3 != key.k3

    def strength(self, key: _Key) -> int:
        """Tell how surely an item is one that was seen before: 0 is the surest."""
        if key.item is not None or (key.k1 is not None and key.k1 in self._by_k1):
            return 0
        if key.k2 is not None and key.k2 in self._by_k2:
            return 1
        return 2 if self.find(key) is not None else 3

    def _index(self, seen: Seen) -> None:
        self._items[seen.item] = seen
        if seen.k1 is not None:
            self._by_k1.setdefault(seen.k1, seen.item)
        if seen.k2 is not None:
            self._by_k2.setdefault(seen.k2, seen.item)
        self._by_k3.setdefault(seen.k3, seen.item)

    def find(self, key: _Key, *, flood: bool = False) -> int | None:
        """Return the name of the item that this one is. `flood`: half of the document seems new, so that a short text
        that was there before counts too: the site gave everything another guid and another link."""
        if key.item is not None:
            return key.item
        found = None if key.k1 is None else self._by_k1.get(key.k1)
        if found is None and key.k2 is not None:
            found = self._by_k2.get(key.k2)
        if found is None and (key.telling or (key.k1 is None and key.k2 is None)):
            found = self._by_k3.get(key.k3)
        if found is None and flood:
            found = self._before.get(key.k3)
        if found is None and key.name in self._items:  # named so once, then changed in every respect, then back
            found = key.name
        return found


def _trusted(listed: Sequence[Listed]) -> dict[int, _Key]:
    """Return keys by place, without those that several different items share, and without items listed twice."""
    guids = _ambiguous((each.k1, each.k2 if each.k2 is not None else each.k3) for each in listed)
    links = _ambiguous((each.k2, each.k1 if each.k1 is not None else each.k3) for each in listed)
    keys: dict[tuple[int | None, int | None, int | None], tuple[int, _Key]] = {}
    for place, each in enumerate(listed):
        k1 = None if each.k1 in guids else each.k1
        k2 = None if each.k2 in links else each.k2
        identity = (k1, None, None) if k1 is not None else (None, k2, None if k2 is not None else each.k3)
        raw = each.raw if (k1, k2) == (each.k1, each.k2) else None
        keys.setdefault(identity, (place, _Key(k1, k2, each.k3, each.telling, raw, each.item)))
    return dict(keys.values())


def _beside(name: int, taken: Container[int]) -> int:
    """Return a name near one that is taken: for an item that is to be remembered and never posted."""
    while name in taken:
        name = name + 1 if name < NAME_MAX else -NAME_MAX
    return name


def _ambiguous(pairs: Iterable[tuple[int | None, Hashable]]) -> set[int | None]:
    """Return the keys that stand with more than one partner."""
    partners: dict[int, Hashable] = {}
    return {key for key, other in pairs if key is not None and partners.setdefault(key, other) != other}


def _oldest_first(listed: Sequence[Listed], fresh: dict[int, int]) -> list[tuple[int, int]]:
    """Order new items: by date where all have one, else as feeds are written, the newest on top."""
    order = [(place, item) for item, place in fresh.items()]
    order.sort(key=lambda pair: -pair[0])
    dates = {place: listed[place].date for place, _ in order}
    if all(date is not None for date in dates.values()):
        order.sort(key=lambda pair: dates[pair[0]] or 0.0)
    return order


def _told_edits(listed: Sequence[Listed], edited: dict[int, int]) -> tuple[tuple[int, int], ...]:
    """Where a good part of a document changed at once, a template did, or a counter in it, and no author."""
    if len(edited) > max(EDITS_MAX, len(listed) / 4):
        return ()
    return tuple((place, item) for item, place in edited.items())[:EDITS_MAX]


def _sent(
    listed: Sequence[Listed],
    order: list[tuple[int, int]],
    *,
    flood: bool,
    last_post_at: float,
    backlog: int | None,
) -> list[tuple[int, int]]:
    if backlog is not None:
        return order[len(order) - min(backlog, len(order)) :]
    dates = [date for place, _ in order if (date := listed[place].date) is not None]
    if flood and len(order) >= FLOOD_ITEMS_MIN and dates and median(dates) < last_post_at:
        return order[-FLOOD_SENT:]
    return order
