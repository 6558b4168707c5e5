"""Programs that post: each owns one source, and a token that opens nothing else.

Law: a token is 160 random bits, shown once and stored as its fingerprint. A row lives where the source's reflector
does, and what it says holds at once: a token that was taken back opens nothing any more, at whatever host.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

from store import Reader, Transaction

TOKEN_OCTETS = 20
PAGE_APPLICATIONS = 1_000
KEY_SECONDS = 14 * 86_400.0  # as long as a reflector knows a repeat
KEYS_MAX = 100_000  # of one application, some 10 MB: the oldest go first

_TOKEN = re.compile(r"hga_[a-z2-7]{32}\Z")  # a beginning of its own, so that who finds one in a log knows what it is


class Taken(Exception):
    """There is an application of this name already."""


@dataclass(frozen=True, slots=True)
class Application:
    """One row. `owner`: the person who answers for it. Times are seconds since 1970."""

    name: str
    owner: str
    title: str
    created_at: float = 0.0
    rotated_at: float = 0.0


_COLUMNS = "name, owner, title, created_at, rotated_at"


def new_token(chance: Callable[[int], bytes]) -> str:
    """Make a token. `chance`: os.urandom."""
    return "hga_" + base64.b32encode(chance(TOKEN_OCTETS)).decode().lower()


def is_token(text: str) -> bool:
    return _TOKEN.match(text) is not None


def fingerprint(token: str) -> bytes:
    """What is stored of a token. It is random enough that a fast hash keeps it."""
    return hashlib.blake2b(token.encode(), digest_size=32, person=b"application").digest()


def add(tx: Transaction, wanted: Application, print_: bytes, now: float) -> None:
    """Let an application post. Raise Taken."""
    if find(tx, wanted.name):
        raise Taken(wanted.name)
    tx.execute(
        f"INSERT INTO application ({_COLUMNS}, token) VALUES (?, ?, ?, ?, ?, ?)",
        (wanted.name, wanted.owner, wanted.title, now, now, print_),
    )


def find(source: Reader | Transaction, name: str) -> Application | None:
    row = source.one(f"SELECT {_COLUMNS} FROM application WHERE name = ?", (name,))
    return Application(*row) if row else None


def page(source: Reader | Transaction, after: str = "", limit: int = PAGE_APPLICATIONS) -> list[Application]:
    """Return applications in order of their names, those after one name."""
    sql = f"SELECT {_COLUMNS} FROM application WHERE name > ? ORDER BY name LIMIT ?"
    return [Application(*row) for row in source.all(sql, (after, limit))]


def rotate(tx: Transaction, name: str, print_: bytes, now: float) -> bool:
    """Take the old token back and let a new one post; False where there is no such application."""
    sql = "UPDATE application SET token = ?, rotated_at = ? WHERE name = ?"
    return tx.execute(sql, (print_, now, name)).rowcount > 0


def revoke(tx: Transaction, name: str) -> bool:
    """Let it post no more; its source stays, with its followers. False where there is no such application."""
    tx.execute("DELETE FROM posted_key WHERE application = ?", (name,))
    return tx.execute("DELETE FROM application WHERE name = ?", (name,)).rowcount > 0


def revoke_all(tx: Transaction, owner: str) -> None:
    """Let nothing post any more that somebody answered for who is gone."""
    for (name,) in tx.all("SELECT name FROM application WHERE owner = ?", (owner,)):
        revoke(tx, name)


def opened_by(source: Reader | Transaction, name: str, token: str) -> Application | None:
    """Return the application that a token was made for, or None: another's, a wrong one, one that was taken back."""
    row = source.one("SELECT token FROM application WHERE name = ?", (name,))
    stored = row[0] if row else bytes(32)
    return find(source, name) if hmac.compare_digest(stored, fingerprint(token)) else None


def claim_key(tx: Transaction, name: str, key: str, digest: str, now: float) -> bool:
    """Note that a key stands for these octets; False where it stands for others. The same once more is the same."""
    tx.execute("DELETE FROM posted_key WHERE at < ?", (now - KEY_SECONDS,))
    known = tx.one("SELECT digest FROM posted_key WHERE application = ? AND key = ?", (name, key))
    if known:
        return bool(known[0] == digest)
    tx.execute("INSERT INTO posted_key (application, key, digest, at) VALUES (?, ?, ?, ?)", (name, key, digest, now))
    tx.execute(
        "DELETE FROM posted_key WHERE application = ?1 AND at < "
        "(SELECT at FROM posted_key WHERE application = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2)",
        (name, KEYS_MAX - 1),
    )
    return True
