"""What is carried of a map's buckets, as the rooms see it: the same hand-over for timelines and reflectors.

Law: who moves a bucket knows no room's tables; a room knows nothing of hosts, streams and epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from ingest import carrying as feeds
from ingest.mailboxes.vault import Vault
from mailbox_host import carrying, leaves, passing, unpacking
from mailbox_host.hashing import Hashed
from reflector import carrying as lists
from store import Reader, Transaction

Source = Reader | Transaction
Part = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Tells whether a name is in one of these buckets."""

    buckets: frozenset[int]
    hashed: Callable[[str], int]

    def __call__(self, name: str) -> bool:
        return self.hashed(name) in self.buckets


class Cargo(Protocol):
    """A *unit* is what moves whole: an account, a source's lists. See mailbox_host.carrying for the words. `leave`:
    they are nobody's from here on; `left`: what went to a host is there; `aside`: what is here is an old copy; `owe`:
    nobody but this host has anything of them. `settle` again until it says that it is done.
    `hashed`: what is remembered of a unit's digest, for the next time; `touch`: a part was put in since."""

    def layout(self) -> dict[str, list[str]]: ...

    def bucket_of(self, unit: str, hashed: Callable[[str], int], /) -> int: ...

    def units(self, source: Source, wanted: Wanted, /) -> list[str]: ...

    def settle(self, tx: Transaction, units: list[str], now: float, /) -> bool: ...

    def owe(self, tx: Transaction, units: list[str], /) -> None: ...

    def leave(self, tx: Transaction, units: list[str], host: str, /) -> None: ...

    def left(self, tx: Transaction, host: str, now: float, /) -> None: ...

    def aside(self, tx: Transaction, units: list[str], /) -> None: ...

    def arrive(self, tx: Transaction, units: list[str], giver: str, now: float, /) -> None: ...

    def told(self) -> Any: ...

    def parts(self, source: Source, unit: str, told: Any, /) -> Iterator[Part]: ...

    def bodies_of(self, part: Part, /) -> set[bytes]: ...

    def put(self, tx: Transaction, part: Part, /) -> None: ...

    def forget(self, tx: Transaction, unit: str, most: int, /) -> bool: ...

    def hashed(self) -> Any: ...

    def touch(self, hashed: Any, part: Part, /) -> None: ...

    def digest(self, source: Source, unit: str, hashed: Any = None, /) -> str: ...


class Timelines:
    """Accounts (mailbox_host/carrying.py), and their newsletters (ingest/carrying.py)."""

    def __init__(self, source: Source) -> None:
        self._layout, self._news = carrying.layout(source), feeds.news_layout(source)

    def layout(self) -> dict[str, list[str]]:
        return self._layout.columns | self._news

    def bucket_of(self, unit: str, hashed: Callable[[str], int]) -> int:
        return hashed(feeds.account_of(unit))

    def units(self, source: Source, wanted: Wanted) -> list[str]:
        return carrying.units(source, wanted) + feeds.news_units(source, wanted)

    def settle(self, tx: Transaction, units: list[str], now: float) -> bool:
        return carrying.settle(tx, [unit for unit in units if not _is_news(unit)])

    def owe(self, tx: Transaction, units: list[str]) -> None:
        carrying.owe(tx, [unit for unit in units if not _is_news(unit)])

    def leave(self, tx: Transaction, units: list[str], host: str) -> None:
        carrying.leave(tx, [unit for unit in units if not _is_news(unit)], host)
        feeds.leave(tx, filter(_is_news, units))

    def left(self, tx: Transaction, host: str, now: float) -> None:
        passing.left(tx, host, now)

    def aside(self, tx: Transaction, units: list[str]) -> None:
        carrying.aside(tx, [unit for unit in units if not _is_news(unit)])
        feeds.leave(tx, filter(_is_news, units))

    def arrive(self, tx: Transaction, units: list[str], giver: str, now: float) -> None:
        carrying.arrive(tx, [unit for unit in units if not _is_news(unit)])
        feeds.arrive(tx, filter(_is_news, units))

    def told(self) -> Any:
        return {}

    def parts(self, source: Source, unit: str, told: Any) -> Iterator[Part]:
        if _is_news(unit):
            return feeds.parts(source, unit, told)
        return carrying.parts(self._layout, source, unit, told.setdefault(unit, carrying.Told()))

    def bodies_of(self, part: Part) -> set[bytes]:
        return set() if _is_news(part["name"]) else carrying.bodies_of(part)

    def put(self, tx: Transaction, part: Part) -> None:
        if _is_news(part["name"]):
            return feeds.put(tx, part)
        return unpacking.put(self._layout, tx, part)

    def forget(self, tx: Transaction, unit: str, most: int) -> bool:
        return feeds.forget(tx, unit) if _is_news(unit) else unpacking.forget(tx, unit, most)

    def hashed(self) -> Hashed:
        return Hashed()

    def touch(self, hashed: Any, part: Part) -> None:
        hashed.touch(part)

    def digest(self, source: Source, unit: str, hashed: Any = None) -> str:
        return feeds.digest(source, unit) if _is_news(unit) else carrying.digest(self._layout, source, unit, hashed)


class Reflectors:
    """Lists (reflector/carrying.py), and feeds, applications and mailboxes elsewhere (ingest/carrying.py), whose units
    have a "/" in their names. `key`: this host's token key."""

    def __init__(self, source: Source, key: bytes) -> None:
        self._layout, self._feeds, self._key = lists.layout(source), feeds.layout(source), key
        self._vault = Vault(key)

    def layout(self) -> dict[str, list[str]]:
        return self._layout.columns | self._feeds

    def bucket_of(self, unit: str, hashed: Callable[[str], int]) -> int:
        return feeds.bucket_of(unit, hashed) if _is_feed(unit) else hashed(unit)

    def units(self, source: Source, wanted: Wanted) -> list[str]:
        return lists.units(source, wanted) + feeds.units(source, wanted.hashed, wanted.buckets)

    def settle(self, tx: Transaction, units: list[str], now: float) -> bool:
        return True

    def owe(self, tx: Transaction, units: list[str]) -> None:
        pass

    def leave(self, tx: Transaction, units: list[str], host: str) -> None:
        """This host's own followers had no row at the source: they are a leaf of it from now on."""
        of_lists = [unit for unit in units if not _is_feed(unit)]
        lists.leave(tx, of_lists, self._key)
        for source in of_lists:
            if "+" not in source:
                leaves.register(tx, source)
        feeds.leave(tx, filter(_is_feed, units))

    def left(self, tx: Transaction, host: str, now: float) -> None:
        pass

    def aside(self, tx: Transaction, units: list[str]) -> None:
        lists.leave(tx, [unit for unit in units if not _is_feed(unit)], self._key)
        feeds.leave(tx, filter(_is_feed, units))

    def arrive(self, tx: Transaction, units: list[str], giver: str, now: float) -> None:
        lists.arrive(tx, [unit for unit in units if not _is_feed(unit)], giver, now)
        feeds.arrive(tx, filter(_is_feed, units))

    def told(self) -> lists.Told:
        return {}

    def parts(self, source: Source, unit: str, told: Any) -> Iterator[Part]:
        if _is_feed(unit):
            return feeds.parts(source, unit, told, self._vault)
        return lists.parts(self._layout, source, unit, told)

    def bodies_of(self, part: Part) -> set[bytes]:
        return set() if _is_feed(part["name"]) else lists.bodies_of(part)

    def put(self, tx: Transaction, part: Part) -> None:
        if _is_feed(part["name"]):
            return feeds.put(tx, part, self._vault)
        return lists.put(self._layout, tx, part)

    def forget(self, tx: Transaction, unit: str, most: int) -> bool:
        return feeds.forget(tx, unit) if _is_feed(unit) else lists.forget(tx, unit, most)

    def hashed(self) -> None:
        return None

    def touch(self, hashed: Any, part: Part) -> None:
        pass

    def digest(self, source: Source, unit: str, hashed: Any = None) -> str:
        return feeds.digest(source, unit, self._vault) if _is_feed(unit) else lists.digest(self._layout, source, unit)


def _is_feed(unit: str) -> bool:
    return unit.startswith(feeds.PARTS)


def _is_news(unit: str) -> bool:
    return unit.startswith(feeds.NEWS)
