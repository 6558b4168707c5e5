"""Mirrors: what this host knows of each source of another fabric that is followed here.

Law: a mirror's wishes are numbered by moments, so that no old copy of a database says one twice; its upstream's posts
are taken once each, by the upstream's numbers.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

from mail.address import mirrored
from reflector.letter import House
from reflector.tables import HERE
from reflector.tokens import make_token
from store import Reader, Transaction

ASKING, FOLLOWING, REFUSED, LEAVING, ENDED = "asking", "following", "refused", "leaving", "ended"

NEVER = 2.0**53
POSTS_REMEMBERED = 10_000  # of one upstream, by number: what comes later than so many others is too late
NO = "no"  # the door to which comes back what an upstream does not take: bob=other.example+no.TOKEN
TOKEN_CHARACTERS = 16  # 80 bits: what is left of a local part


@dataclass(frozen=True, slots=True)
class Mirror:
    """See mirror_tables.py."""

    list: str
    state: str
    wish: int
    tries: int
    due: float
    renew: float = 0.0
    census: float = 0.0
    top: int = 0
    founder: str = ""
    founded: float = 0.0

    @property
    def entity(self) -> str:
        return _ends(self.list)[0]

    @property
    def fabric(self) -> str:
        return _ends(self.list)[1]

    @property
    def person(self) -> str:
        """Whom it mirrors, as the world writes to them: ``bob@other.example``."""
        return f"{self.entity}@{self.fabric}"

    @property
    def wants(self) -> bool:
        return self.state in (ASKING, FOLLOWING, REFUSED)

    def upstream(self, detail: str = "") -> str:
        """The source's own reflector. Never in its bucket: such an address would change with the count of buckets."""
        return f"{self.entity}{'+' if detail else ''}{detail}@reflectors.{self.fabric}"


_MIRROR = ", ".join(f.name for f in fields(Mirror))


def find_mirror(place: Reader | Transaction, list_: str) -> Mirror | None:
    row = place.one(f"SELECT {_MIRROR} FROM mirror WHERE list = ?", (list_,))
    return Mirror(*row) if row else None


def write_mirror(tx: Transaction, mirror: Mirror) -> None:
    marks = ", ".join("?" * len(fields(Mirror)))
    tx.execute(f"INSERT OR REPLACE INTO mirror ({_MIRROR}) VALUES ({marks})", astuple(mirror))


def next_wish(mirror: Mirror, now: float) -> int:
    return max(mirror.wish + 1, int(now * 1000))


def founded_today(tx: Transaction, founder: str, now: float) -> int:
    row = tx.one("SELECT count(*) FROM mirror WHERE founder = ? AND founded > ?", (founder, now - 86_400))
    assert row is not None
    return int(row[0])


def way_back(house: House, mirror: Mirror) -> str:
    """The return path of a mirror's wish: who holds its token was sent that wish."""
    return house.names.reflector(mirror.list, f"{NO}.{wish_token(house.key, mirror)}")


def wish_token(key: bytes, mirror: Mirror) -> str:
    return make_token(key, "mirror", mirror.list, str(mirror.wish))[:TOKEN_CHARACTERS]


def is_first(tx: Transaction, mirror: Mirror, post: int) -> bool:
    """Note an upstream's post; False for one that was here, or is too old to know. A number that leaps ahead spoils
    only what its own fabric sends later."""
    if post <= mirror.top - POSTS_REMEMBERED:
        return False
    if not tx.execute("INSERT OR IGNORE INTO mirrored_post VALUES (?, ?)", (mirror.list, post)).rowcount:
        return False
    if post > mirror.top:
        tx.execute("UPDATE mirror SET top = ? WHERE list = ?", (post, mirror.list))
        old = (mirror.list, post - POSTS_REMEMBERED)
        tx.execute("DELETE FROM mirrored_post WHERE list = ? AND post <= ?", old)
    return True


def mirrors_here(place: Reader | Transaction, after: str, most: int) -> list[Mirror]:
    """A page of the mirrors of this host, by name; those that have ended too."""
    sql = f"SELECT {_MIRROR} FROM mirror WHERE list > ? AND {HERE} ORDER BY list LIMIT ?"
    return [Mirror(*row) for row in place.all(sql, (after, most))]


def fabrics_here(place: Reader | Transaction, after: str, most: int) -> list[tuple[str, str, float]]:
    """A page of (source, fabric, moment of its last wish): who has ever mirrored a source of this host."""
    named = "list || ' ' || fabric"
    sql = f"SELECT list, fabric, number / 1000.0 FROM fabric_wish WHERE {named} > ? AND {HERE} ORDER BY {named} LIMIT ?"
    return [(source, fabric, at) for source, fabric, at in place.all(sql, (after, most))]


def _ends(list_: str) -> tuple[str, str]:
    ends = mirrored(list_)
    assert ends is not None, list_
    return ends
