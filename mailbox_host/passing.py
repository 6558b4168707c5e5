"""Followers who moved to other hosts: their posts are sent after them until the source's list serves them there.

Law: a list has no row of who lived next door to it, or behind a leaf: this host's `follow` rows were the list. So it is
told whom it did not know, and answers with the post from which it serves them. What is below that comes here, however
late, and is passed on; nobody misses a post. It is asked only once the accounts are there: a leaf that gives its
followers back must know them by then.
"""

from __future__ import annotations

from collections.abc import Iterable

from directory.names import FabricNames
from mail.envelope import Outgoing
from mail.follower_rows import ROWS_MAX, Row, digest_of, write_rows
from mail.tree_control import Moved, PassOn, Settled
from mailbox_host.follows import OPEN
from mailbox_host.leaf_mail import write
from store import Reader, Transaction

ASK_AGAIN_SECONDS = 6 * 3600.0  # a question and its answer wait in queues themselves; this is for what they gave up
LATE_SECONDS = 14 * 86_400.0  # a queue gives up after 5 days: no post comes later
ASKED_AT_ONCE = 4  # sources in one step: each a message of rows

_OPEN = f"until_post = {OPEN}"


def leave(tx: Transaction, names: Iterable[str], host: str) -> None:
    """The accounts go to a host, and whom they follow is noted."""
    for name in names:
        tx.execute(
            "INSERT OR REPLACE INTO moved_follower (source, host, name, from_post, generation, folder)"
            " SELECT f.source, ?, a.name, f.from_post, max(f.generation), d.name"
            " FROM account a JOIN follow f ON f.account = a.id JOIN folder d ON d.id = f.folder"
            f" WHERE a.name = ? AND f.{_OPEN} AND f.from_post IS NOT NULL GROUP BY f.source",
            (host, name),
        )
        tx.execute(
            f"INSERT INTO passed_on (source, host, until_post) SELECT source, host, {OPEN} FROM moved_follower"
            f" WHERE name = ? ON CONFLICT (source, host) DO UPDATE SET until_post = {OPEN}, due = NULL",
            (name,),
        )
        tx.execute(  # of what has ended, posts below its end may still be on their way here
            "INSERT INTO passed_on (source, host, until_post) SELECT f.source, ?, max(f.until_post)"
            " FROM account a JOIN follow f ON f.account = a.id"
            f" WHERE a.name = ? AND f.from_post < f.until_post AND f.until_post < {OPEN} GROUP BY f.source"
            f" ON CONFLICT (source, host) DO UPDATE SET due = iif(until_post < {OPEN}, NULL, due),"
            " until_post = max(until_post, excluded.until_post)",
            (host, name),
        )


def left(tx: Transaction, host: str, now: float) -> None:
    """What was on its way to a host is there: the lists may be told."""
    tx.execute("UPDATE passed_on SET due = ? WHERE host = ? AND due IS NULL", (now, host))
    tx.execute(f"DELETE FROM passed_on WHERE until_post < {OPEN} AND due < ?", (now - LATE_SECONDS,))


def arrive(tx: Transaction, names: Iterable[str]) -> None:
    """The accounts are here (again)."""
    tx.executemany("DELETE FROM moved_follower WHERE name = ?", [(name,) for name in names])


def follow(tx: Transaction, word: PassOn, host: str, now: float) -> None:
    """A follower of whom nothing is known here lives at a host: her posts are sent after her, those that have come too.
    The list is told, unless she has left already. Where others are on their way there, it is told when they are."""
    if word.until == OPEN:
        note(tx, word.source, host, Row(word.who, word.from_, word.generation, word.folder))
    pass_on(tx, word.source, host, word.until, word.from_, now)


def note(tx: Transaction, source: str, host: str, row: Row) -> None:
    """The list is to be told of a follower, unless a later word is noted."""
    tx.execute(
        "INSERT INTO moved_follower (source, host, name, from_post, generation, folder) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (name, source) DO UPDATE SET host = excluded.host, from_post = excluded.from_post,"
        " generation = excluded.generation, folder = excluded.folder WHERE excluded.generation >= generation",
        (source, host, row.who, row.from_post, row.generation, row.folder),
    )


def pass_on(tx: Transaction, source: str, host: str, until: int, behind: int | None, now: float) -> None:
    """Send posts below `until` to a host as they come, and what is here from `behind` on."""
    tx.execute(
        "INSERT INTO passed_on (source, host, until_post, due, behind) VALUES (?1, ?2, ?3, ?4, ?5)"
        f" ON CONFLICT (source, host) DO UPDATE SET due = iif(until_post = {OPEN} AND due IS NULL, NULL, ?4),"
        " until_post = max(until_post, ?3), behind = min(coalesce(behind, ?5), coalesce(?5, behind))",
        (source, host, until, now, behind),
    )


def passed_to(tx: Transaction, source: str, post: int) -> list[str]:
    """Return the hosts to which a post is sent on."""
    sql = "SELECT host FROM passed_on WHERE source = ? AND until_post > ? ORDER BY host"
    return [host for (host,) in tx.all(sql, (source, post))]


def count(place: Reader | Transaction) -> int:
    """Count the sources whose lists do not serve all yet who moved away from here."""
    row = place.one(f"SELECT count(DISTINCT source) FROM passed_on WHERE {_OPEN} OR behind IS NOT NULL")
    assert row is not None
    return int(row[0])


def is_due(place: Reader | Transaction, now: float) -> bool:
    return place.one(f"SELECT 1 FROM passed_on WHERE {_OPEN} AND due <= ? LIMIT 1", (now,)) is not None


def ask(tx: Transaction, names: FabricNames, serial: int, host: str, now: float) -> tuple[Outgoing, ...]:
    """Tell the lists that are due whom they are to serve: a message of rows each, the next one after the answer."""
    mails: tuple[Outgoing, ...] = ()
    due = f"SELECT DISTINCT source FROM passed_on WHERE {_OPEN} AND due <= ? LIMIT {ASKED_AT_ONCE}"
    for (source,) in tx.all(due, (now,)):
        upto, rows = _noted(tx, source)
        _look_again(tx, source, now + ASK_AGAIN_SECONDS)
        mails += write(names, Moved(source, upto, serial, host), now, write_rows(rows))
    return mails


def settle(tx: Transaction, word: Settled, now: float) -> None:
    """The list serves whom it was told of. An answer about others than are noted now is none: it is told again."""
    _, rows = _noted(tx, word.source, word.upto)
    if digest_of(rows) != word.digest:
        return _look_again(tx, word.source, now)
    meant = f"SELECT host FROM passed_on WHERE source = ?1 AND {_OPEN} AND due IS NOT NULL"
    tx.execute(
        f"DELETE FROM moved_follower WHERE source = ?1 AND id <= ?2 AND host IN ({meant})", (word.source, word.upto)
    )
    tx.execute(
        f"UPDATE passed_on SET until_post = ?2, due = ?3 WHERE source = ?1 AND {_OPEN} AND due IS NOT NULL"
        " AND host NOT IN (SELECT host FROM moved_follower WHERE source = ?1)",
        (word.source, word.until, now),
    )
    return _look_again(tx, word.source, now)


def end(tx: Transaction, source: str, until: int, now: float) -> None:
    """The list has taken over all who are noted here: nothing is passed on from that post on."""
    tx.execute("DELETE FROM moved_follower WHERE source = ?", (source,))
    tx.execute(f"UPDATE passed_on SET until_post = ?, due = ? WHERE source = ? AND {_OPEN}", (until, now, source))


def _noted(tx: Transaction, source: str, upto: int = OPEN) -> tuple[int, list[Row]]:
    """The first followers that the list may be told of, and the last one's note."""
    rows = tx.all(
        "SELECT m.id, m.name, m.from_post, m.generation, m.folder FROM moved_follower m JOIN passed_on p"
        " ON p.source = m.source AND p.host = m.host"
        f" WHERE m.source = ? AND m.id <= ? AND p.{_OPEN} AND p.due IS NOT NULL ORDER BY m.id LIMIT {ROWS_MAX}",
        (source, upto),
    )
    return (rows[-1][0] if rows else 0), [Row(*row[1:]) for row in rows]


def _look_again(tx: Transaction, source: str, due: float) -> None:
    tx.execute(f"UPDATE passed_on SET due = ? WHERE source = ? AND {_OPEN} AND due IS NOT NULL", (due, source))
