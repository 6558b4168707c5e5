"""Which of a source's posts an account wants: by words in their Subject and text.

Law: a post that is not wanted was had (`had_post`): it is never filed, and judged once. Words are found as people mean
them: whole, in any case.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from mail.control import Sift
from mail.headers import Headers
from mail.words import subject_of, text_of
from mailbox_host.accounts import account_id
from store import Bodies, Transaction

SIFTED_AT_ONCE_MAX = 500  # posts in one transaction: some 100 ms of the writer's time
LOOKED_AT_OCTETS = 32_768  # of a post's text: an article; what a foot says further down chooses nothing
SIFTS_MAX = 1_000  # of one account: they are looked at with every post that is filed
WORDS_OCTETS_MAX = 400

_IDEOGRAPHS = "\u2e80"  # from here on writing has no spaces, and no whole words


def sift(tx: Transaction, account: str, word: Sift) -> None:
    """Choose from now on; no words choose all. An older word comes too late."""
    owner = account_id(tx, account)
    known = tx.one("SELECT at FROM sift WHERE account = ? AND source = ?", (owner, word.source))
    count = tx.one("SELECT count(*) FROM sift WHERE account = ?", (owner,)) or (0,)
    if (known and known[0] >= word.at) or (not known and count[0] >= SIFTS_MAX):
        return
    if len(word.only.encode()) > WORDS_OCTETS_MAX or len(word.without.encode()) > WORDS_OCTETS_MAX:
        return
    tx.execute(
        "INSERT OR REPLACE INTO sift (account, source, at, only_words, without_words) VALUES (?, ?, ?, ?, ?)",
        (owner, word.source, word.at, word.only, word.without),
    )


def forget_sift(tx: Transaction, account: int, source: str) -> None:
    """Who leaves and comes back begins anew."""
    tx.execute("DELETE FROM sift WHERE account = ? AND source = ?", (account, source))


def at_once(tx: Transaction, account: int, most: int) -> int:
    """Return how many posts may be filed in one transaction."""
    return min(most, SIFTED_AT_ONCE_MAX) if _sifts(tx, account) else most


def wanted(tx: Transaction, account: int, due: list[Any]) -> list[Any]:
    """Return those of the log's rows (seq, source, post, body, ...) that are wanted; the others were had."""
    sifts = _sifts(tx, account)
    if not sifts:
        return due
    unwanted = [row for row in due if row[1] in sifts and not _passes(tx, row[3], *sifts[row[1]])]
    leave_out(tx, account, [(row[1], row[2]) for row in unwanted])
    left_out = {row[0] for row in unwanted}
    return [row for row in due if row[0] not in left_out]


def is_wanted(tx: Transaction, account: int, source: str, body: int) -> bool:
    """Judge one post."""
    sifts = _sifts(tx, account)
    return source not in sifts or _passes(tx, body, *sifts[source])


def sifts_of(tx: Transaction, account: str) -> dict[str, tuple[str, str]]:
    """Return source -> (only, without) of those that choose."""
    return _sifts(tx, account_id(tx, account))


def leave_out(tx: Transaction, account: int, posts: list[tuple[str, int]]) -> None:
    tx.executemany("INSERT OR IGNORE INTO had_post VALUES (?, ?, ?)", [(account, *post) for post in posts])


def passes(content: bytes, only: str, without: str) -> bool:
    """Judge a message by words, each of which ends with a newline."""
    said = f"{subject_of(Headers.of(content))}\n{text_of(content)}".casefold()
    if any(_pattern(word).search(said) for word in without.splitlines()):
        return False
    return not only or any(_pattern(word).search(said) for word in only.splitlines())


def _passes(tx: Transaction, body: int, only: str, without: str) -> bool:
    content = Bodies.read_beginnings(tx, [body], LOOKED_AT_OCTETS).get(body, b"")
    return passes(content, only, without)


def _sifts(tx: Transaction, account: int) -> dict[str, tuple[str, str]]:
    rows = tx.all(
        "SELECT source, only_words, without_words FROM sift"
        " WHERE account = ? AND (only_words <> '' OR without_words <> '')",
        (account,),
    )
    return {source: (only, without) for source, only, without in rows}


@lru_cache(maxsize=1_000)
def _pattern(word: str) -> re.Pattern[str]:
    word = word.casefold()
    before = r"(?<!\w)" if word[:1].isalnum() and word[:1] < _IDEOGRAPHS else ""
    after = r"(?!\w)" if word[-1:].isalnum() and word[-1:] < _IDEOGRAPHS else ""
    return re.compile(before + re.escape(word) + after)
