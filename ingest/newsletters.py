"""Addresses that people gave to newsletters: ``alice+news.TOKEN@D``, each a source of its own.

Law: nobody makes a token without this host's key, and one that was taken back takes no mail. What is known of an
address is one row, where its owner's timeline lives; the token is stored, so that it goes along when that moves.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, replace

from ingest.naming import plain
from mail.address import is_entity
from store import Reader, Transaction

NEWSLETTERS_MAX = 200  # of one account
PER_DAY_MAX = 100  # mails to one address: the busiest newsletters and notifications send some fifty
DAY = 86_400

_TOKEN = re.compile(r"news\.([a-z2-7]{24})\Z")


class TooMany(Exception):
    """The account has as many addresses as one may."""


@dataclass(frozen=True, slots=True)
class Newsletter:
    """One row. `account`: whose address; `name`: what she calls it; `source`: what it is followed as. Times are seconds
    since 1970, 0 for never."""

    token: str
    account: str
    name: str
    source: str
    folder: str
    created_at: float
    last_at: float = 0.0

    @property
    def detail(self) -> str:
        return f"news.{self.token}"


_COLUMNS = "token, account, name, source, folder, created_at, last_at"


def token_of(detail: str) -> str:
    """``news.TOKEN`` -> its token; "" for any other detail of an address."""
    match = _TOKEN.match(detail)
    return match[1] if match else ""


def new_token(key: bytes, account: str, name: str, about: str, now: float) -> str:
    """Make a token: 120 bits of keyed BLAKE2b."""
    made_of = "\0".join((account, name, about, repr(now))).encode("utf-8", "replace")
    digest = hashlib.blake2b(made_of, key=key, digest_size=15, person=b"newsletter").digest()
    return base64.b32encode(digest).decode().lower()


def new(token: str, account: str, name: str, folder: str, now: float) -> Newsletter:
    """Describe a new address. Its source's name ends with what nobody guesses, and tells nothing of the token."""
    end = base64.b32encode(hashlib.blake2b(token.encode(), digest_size=5, person=b"source").digest()).decode().lower()
    source = f"{plain(name) or 'news'}-{end[:6]}"
    return Newsletter(token, account, name, source if is_entity(source) else f"news-{end[:6]}", folder or name, now)


def add(tx: Transaction, wanted: Newsletter) -> Newsletter:
    """Let there be an address; where the account has one of this name, that. Raise TooMany."""
    if known := by_name(tx, wanted.account, wanted.name):
        return known
    count = tx.one("SELECT count(*) FROM newsletter WHERE account = ?", (wanted.account,)) or (0,)
    if count[0] >= NEWSLETTERS_MAX:
        raise TooMany
    tx.execute(
        "INSERT INTO newsletter (token, account, name, source, folder, created_at) VALUES (?, ?, ?, ?, ?, ?)",
        (wanted.token, wanted.account, wanted.name, wanted.source, wanted.folder, wanted.created_at),
    )
    return wanted


def find(source: Reader | Transaction, account: str, token: str) -> Newsletter | None:
    row = source.one(f"SELECT {_COLUMNS} FROM newsletter WHERE token = ? AND account = ?", (token, account))
    return Newsletter(*row) if row else None


def by_name(source: Reader | Transaction, account: str, name: str) -> Newsletter | None:
    rows = of_account(source, account)
    return next((row for row in rows if row.name.casefold() == name.casefold()), None)


def of_account(source: Reader | Transaction, account: str) -> list[Newsletter]:
    """Return an account's addresses, by name."""
    sql = f"SELECT {_COLUMNS} FROM newsletter WHERE account = ? ORDER BY name"
    return [Newsletter(*row) for row in source.all(sql, (account,))]


def refile(tx: Transaction, newsletter: Newsletter, folder: str) -> Newsletter:
    """Let its issues go to another folder."""
    tx.execute("UPDATE newsletter SET folder = ? WHERE token = ?", (folder, newsletter.token))
    return replace(newsletter, folder=folder)


def page(source: Reader | Transaction, after: str, limit: int) -> list[Newsletter]:
    """Return addresses in order of their sources' names, those after one name."""
    sql = f"SELECT {_COLUMNS} FROM newsletter WHERE source > ? ORDER BY source LIMIT ?"
    return [Newsletter(*row) for row in source.all(sql, (after, limit))]


def drop(tx: Transaction, newsletter: Newsletter) -> None:
    """Take no more mail. Its source stays, with what was posted."""
    tx.execute("DELETE FROM newsletter WHERE token = ?", (newsletter.token,))


def drop_all(tx: Transaction, account: str) -> None:
    """Take no more mail for somebody who is gone."""
    tx.execute("DELETE FROM newsletter WHERE account = ?", (account,))


def has_room(source: Reader | Transaction, newsletter: Newsletter, now: float) -> bool:
    """Tell whether one more mail may come today."""
    row = source.one("SELECT day, taken FROM newsletter WHERE token = ?", (newsletter.token,))
    return row is None or row[0] != int(now // DAY) or row[1] < PER_DAY_MAX


def count(tx: Transaction, newsletter: Newsletter, now: float) -> None:
    """Count a mail of today."""
    tx.execute(
        "UPDATE newsletter SET taken = CASE day WHEN ?1 THEN taken + 1 ELSE 1 END, day = ?1, last_at = ?2"
        " WHERE token = ?3",
        (int(now // DAY), now, newsletter.token),
    )
