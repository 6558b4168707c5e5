"""Whom an account follows: intervals of post numbers, changed by welcomes and goodbyes.

Law: the result depends on which welcomes and goodbyes came, not on their order or number. A welcome of generation g
covers [from, until): `until` is the lowest that a goodbye of a higher generation named. An account follows the union
of what its welcomes cover; where two cover a post, the folder of the higher generation has it.
"""

from __future__ import annotations

from dataclasses import dataclass

from mail.control import Goodbye, Welcome
from mailbox_host.accounts import account_id
from mailbox_host.filing import FILED_AT_ONCE_MAX, file_beyond, file_covered
from mailbox_host.folder_names import INBOX, FolderError
from mailbox_host.folders import create_folder, find_folder, set_subscribed
from mailbox_host.sifting import at_once, forget_sift
from store import Reader, Transaction

OPEN = 2**62  # until_post of an interval that nobody has closed

# Rows per account: catch_up makes a look-up for each. A reader of 10,000 feeds is past what mail is for.
FOLLOWS_MAX = 10_000
# Rows per account and source: each re-follow adds two. Beyond, the oldest goes, and with it posts that come that late;
# what has come is filed first.
GENERATIONS_MAX = 64


@dataclass(frozen=True, slots=True)
class Follow:
    """One interval of an account: posts of `source` with from_post <= number < until_post (OPEN: no end)."""

    source: str
    from_post: int
    until_post: int
    generation: int
    folder: str

    @property
    def is_open(self) -> bool:
        return self.until_post == OPEN


class TooManyFollows(FolderError):
    """The account follows as many sources as one may."""


def welcome(tx: Transaction, account: str, word: Welcome, now: float) -> int:
    """Open an interval, and file what the log already holds of it; return how many entries that made."""
    owner = account_id(tx, account)
    if _is_known_or_outdated(tx, owner, word.source, word.generation):
        return 0
    _check_count(tx, owner)
    bound = tx.one(
        """
        SELECT min(until_post) FROM follow
        WHERE account = ? AND source = ? AND generation > ? AND from_post IS NULL
        """,
        (owner, word.source, word.generation),
    )
    until = OPEN if bound is None or bound[0] is None else int(bound[0])
    folder = _folder_for(tx, account, word.folder, now)
    tx.execute(
        "INSERT INTO follow (account, source, generation, from_post, until_post, folder) VALUES (?, ?, ?, ?, ?, ?)",
        (owner, word.source, word.generation, word.from_, until, folder),
    )
    _forget_oldest(tx, owner, word.source)
    return file_covered(tx, owner, word.source, word.generation)


def goodbye(tx: Transaction, account: str, word: Goodbye) -> None:
    """Close what lower generations opened. What was filed stays, and posts below `until` still arrive late."""
    owner = account_id(tx, account)
    if _is_known_or_outdated(tx, owner, word.source, word.generation):
        return
    _check_count(tx, owner)
    tx.execute(
        """
        UPDATE follow SET until_post = ?
        WHERE account = ? AND source = ? AND generation < ? AND until_post > ? AND from_post IS NOT NULL
        """,
        (word.until, owner, word.source, word.generation, word.until),
    )
    tx.execute(
        "INSERT INTO follow (account, source, generation, until_post, folder) VALUES (?, ?, ?, ?, 0)",
        (owner, word.source, word.generation, word.until),
    )
    forget_sift(tx, owner, word.source)
    _forget_oldest(tx, owner, word.source)


def covers(tx: Transaction, account: int, source: str, number: int) -> bool:
    """Tell whether an interval of the account covers a post."""
    # The unary plus keeps SQLite to the account's own rows: by `follow_source` it would pass every follower's.
    sql = "SELECT 1 FROM follow WHERE account = ? AND source = ? AND from_post <= ? AND +until_post > ? LIMIT 1"
    return tx.one(sql, (account, source, number, number)) is not None


def follows(source: Reader | Transaction, account: str) -> list[Follow]:
    """Return the account's intervals that cover anything, by source and generation."""
    rows = source.all(
        """
        SELECT f.source, f.from_post, f.until_post, f.generation, d.name
        FROM account a JOIN follow f ON f.account = a.id JOIN folder d ON d.id = f.folder
        WHERE a.name = ? AND f.from_post < f.until_post ORDER BY f.source, f.generation
        """,
        (account,),
    )
    return [Follow(*row) for row in rows]


def followed_sources(source: Reader | Transaction, account: str) -> list[str]:
    """Return the sources whose posts may still come: what a waiting session listens for."""
    rows = source.all(
        """
        SELECT DISTINCT f.source FROM account a JOIN follow f ON f.account = a.id
        WHERE a.name = ? AND f.from_post < f.until_post
        """,
        (account,),
    )
    return [row[0] for row in rows]


def _is_known_or_outdated(tx: Transaction, owner: int, source: str, generation: int) -> bool:
    """A repeat, or older than what a full list of generations still holds."""
    row = tx.one(
        "SELECT count(*), min(generation), max(generation = ?) FROM follow WHERE account = ? AND source = ?",
        (generation, owner, source),
    )
    assert row is not None
    return bool(row[2]) or (row[0] >= GENERATIONS_MAX and generation < row[1])


def _check_count(tx: Transaction, owner: int) -> None:
    row = tx.one("SELECT count(*) FROM follow WHERE account = ?", (owner,))
    if row and row[0] >= FOLLOWS_MAX:
        raise TooManyFollows(f"an account follows at most {FOLLOWS_MAX} sources")


def _forget_oldest(tx: Transaction, owner: int, source: str) -> None:
    """Keep the newest generations of one source. What the log holds for the others is filed before they go; where that
    is too much for one transaction they stay until the next change."""
    row = tx.one("SELECT count(*) FROM follow WHERE account = ? AND source = ?", (owner, source))
    if row is None or row[0] <= GENERATIONS_MAX:
        return
    cursor = int((tx.one("SELECT cursor FROM account WHERE id = ?", (owner,)) or (0,))[0])
    if file_beyond(tx, owner, cursor) >= at_once(tx, owner, FILED_AT_ONCE_MAX):
        return
    tx.execute(
        """
        DELETE FROM follow WHERE account = ?1 AND source = ?2 AND generation <= (
            SELECT generation FROM follow WHERE account = ?1 AND source = ?2
            ORDER BY generation DESC LIMIT 1 OFFSET ?3)
        """,
        (owner, source, GENERATIONS_MAX),
    )


def _folder_for(tx: Transaction, account: str, name: str, now: float) -> int:
    """Find the folder that a welcome names, or make it; INBOX where it cannot be made."""
    folder = find_folder(tx, account, name)
    if folder is None:
        try:
            folder = create_folder(tx, account, name, now)
            set_subscribed(tx, account, folder.name, True)  # or clients that list by LSUB would never show it
        except FolderError:
            folder = find_folder(tx, account, INBOX)
    assert folder is not None
    return folder.id
