"""Sources: who owns one, its next post's number, its generation, its newest posts.

Law: numbers and generations only rise, over removal and re-creation too.
"""

from __future__ import annotations

from dataclasses import dataclass

from store import Bodies, Reader, Transaction

TITLE_CHARACTERS_MAX = 100  # it stands in headers of every post
BACKLOG_MAX = 50  # newest posts that a new follower may get at once: bounds what one command sends


@dataclass(frozen=True, slots=True)
class Source:
    """A source as one of its lists knows it: `list` is ``bob``, the root, or ``bob+sub.7``. `subscribers`: open
    intervals held here (local followers are not among them). `floor`: no new interval begins before this post."""

    list: str
    owner: str
    title: str
    backlog: int
    next_post: int
    generation: int
    subscribers: int
    floor: int

    @property
    def name(self) -> str:
        return self.list.partition("+")[0]


def find_source(place: Reader | Transaction, name: str) -> Source | None:
    """Return a source by its name, or one of its lists by the list's."""
    row = place.one(
        "SELECT name, owner, title, backlog, next_post, generation, subscribers, floor FROM source"
        " WHERE name = ? AND NOT removed AND name NOT IN (SELECT list FROM away)",
        (name,),
    )
    return Source(*row) if row else None


def lists_of(place: Reader | Transaction, name: str) -> list[str]:
    """Return the lists of a source that are here, removed ones too: the root, then the others by name."""
    # "," is what follows "+" in ASCII: a range of the key, not a look at every source.
    rows = place.all(
        "SELECT name FROM source WHERE (name = ?1 OR name > ?1 || '+' AND name < ?1 || ',')"
        " AND name NOT IN (SELECT list FROM away)",
        (name,),
    )
    return sorted(name for (name,) in rows)


def is_buried(place: Reader | Transaction, name: str) -> bool:
    """Tell whether there was such a source, and is no more."""
    return place.one("SELECT 1 FROM source WHERE name = ? AND removed", (name,)) is not None


def create_source(tx: Transaction, name: str, owner: str, title: str, backlog: int, now: float) -> None:
    """Let there be a source; once more changes its title and backlog, and wakes a removed one with its numbers."""
    tx.execute(
        "INSERT INTO source (name, owner, title, backlog, next_post, generation, subscribers, created, removed, floor)"
        " VALUES (?, ?, ?, ?, 1, 0, 0, ?, 0, 0) ON CONFLICT (name) DO UPDATE"
        " SET owner = excluded.owner, title = excluded.title, backlog = excluded.backlog, removed = 0",
        (name, owner, clean_title(title), min(max(backlog, 0), BACKLOG_MAX), now),
    )


def bury_source(tx: Transaction, name: str) -> None:
    """Leave a tombstone with the numbers; let go of everything else."""
    tx.execute("UPDATE source SET removed = 1, subscribers = 0 WHERE name = ?", (name,))
    tx.execute("DELETE FROM confirmation WHERE source = ?", (name,))
    tx.execute("DELETE FROM sender_address WHERE list = ?", (name,))
    tx.execute("DELETE FROM footer WHERE source = ?", (name,))
    _forget_posts(tx, name, before=2**62)


def take_generation(tx: Transaction, name: str) -> int:
    """Return the generation for one change of a subscription."""
    row = tx.one("UPDATE source SET generation = generation + 1 WHERE name = ? RETURNING generation", (name,))
    assert row is not None
    return int(row[0])


def take_number(tx: Transaction, name: str) -> int:
    """Return the number of the post that is being made."""
    row = tx.one("UPDATE source SET next_post = next_post + 1 WHERE name = ? RETURNING next_post", (name,))
    assert row is not None
    return int(row[0]) - 1


def see_number(tx: Transaction, name: str, next_post: int) -> None:
    """A list below the root learns how far the root is from what comes down."""
    tx.execute("UPDATE source SET next_post = ?2 WHERE name = ?1 AND next_post < ?2", (name, next_post))


def keep_recent(tx: Transaction, source: Source, post: int, content: bytes) -> None:
    """Keep a post for those who come later, if the source keeps any, and forget the oldest. `source.next_post` may be
    beyond the post: below the root they come in any order."""
    oldest = max(source.next_post, post + 1) - source.backlog
    if post >= oldest:
        body = Bodies.keep(tx, content)
        tx.execute("INSERT INTO recent_post VALUES (?, ?, ?)", (source.list, post, body))
    _forget_posts(tx, source.list, before=oldest)


def keep_no_posts(tx: Transaction, list_: str) -> None:
    """Nobody comes to this list any more: let go of its newest posts, and keep none that comes late."""
    tx.execute("UPDATE source SET backlog = 0 WHERE name = ?", (list_,))
    _forget_posts(tx, list_, before=2**62)


def recent_posts(tx: Transaction, source: str, since: int) -> list[tuple[int, bytes]]:
    """Return the kept posts from number `since` on, oldest first."""
    rows = tx.all("SELECT post, body FROM recent_post WHERE source = ? AND post >= ? ORDER BY post", (source, since))
    return [(post, Bodies.read(tx, body)) for post, body in rows]


def first_post(tx: Transaction, source: Source) -> int:
    """Return the number of the first post that a new follower gets."""
    row = tx.one("SELECT min(post) FROM recent_post WHERE source = ? AND post >= ?", (source.list, source.floor))
    if row is None or row[0] is None:
        return source.next_post
    return max(int(row[0]), source.next_post - source.backlog)


def clean_title(text: str) -> str:
    """One line without control characters, so that it may stand in any header."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:TITLE_CHARACTERS_MAX]


def _forget_posts(tx: Transaction, name: str, before: int) -> None:
    rows = tx.all("DELETE FROM recent_post WHERE source = ? AND post < ? RETURNING body", (name, before))
    for (body,) in rows:
        Bodies.release(tx, body)
