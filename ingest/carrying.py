"""Feeds, requests and applications on their way to another host: each packed into one row, and unpacked there.

Law: what is packed is polled and found by nobody, so it is packed when its bucket is given up, and unpacked in the
transaction in which the other host becomes the owner. Columns are carried by their names; ids stay behind.

A *unit* is ``feed/BUCKET/SOURCE``, ``request/BUCKET`` (all of a bucket's requests), ``app/NAME``, ``imap/SOURCE`` (a
mailbox elsewhere), or ``news/ACCOUNT`` (all of an account's newsletters, which go with its timeline). The password of a
mailbox is sealed in every row, and open only between two hosts: who reads it there seals it anew (`vault`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ingest.mailboxes.vault import Vault
from store import Reader, Transaction

Source = Reader | Transaction
Part = dict[str, Any]
Packed = dict[str, list[dict[str, Any]]]  # by table, rows by column

OF_FEEDS = ("feed_seen", "redirected", "former_url", "push")  # by the feed's id
FEED, REQUEST, APP, IMAP = "feed/", "request/", "app/", "imap/"
PARTS = (FEED, REQUEST, APP, IMAP)
NEWS = "news/"


def layout(source: Source) -> dict[str, list[str]]:
    """Return the columns that are carried: two hosts must agree on them before anything is sent."""
    own = ("application", "posted_key", "far_mailbox", "far_message")
    return _columns(source, "feed", *OF_FEEDS, "request", *own)


def news_layout(source: Source) -> dict[str, list[str]]:
    """Return the same of what goes with timelines."""
    return _columns(source, "newsletter")


def _columns(source: Source, *tables: str) -> dict[str, list[str]]:
    found = {table: source.all("SELECT name FROM pragma_table_info(?) ORDER BY cid", (table,)) for table in tables}
    return {table: [name for (name,) in rows] for table, rows in found.items()}


def bucket_of(unit: str, hashed: Callable[[str], int]) -> int:
    """Return the bucket that a unit moves with. A feed's is what the host that took it was told."""
    kind, _, rest = unit.partition("/")
    return hashed(rest) if kind + "/" in (APP, IMAP) else int(rest.partition("/")[0])


def units(source: Source, hashed: Callable[[str], int], wanted: frozenset[int]) -> list[str]:
    """Return what there is of these buckets, packed or not."""
    named = [f"{FEED}{bucket}/{name}" for bucket, name in source.all("SELECT bucket, source FROM feed")]
    named += [f"{REQUEST}{bucket}" for (bucket,) in source.all("SELECT DISTINCT bucket FROM request")]
    named += [f"{APP}{name}" for (name,) in source.all("SELECT name FROM application")]
    named += [f"{IMAP}{name}" for (name,) in source.all("SELECT source FROM far_mailbox")]
    named += [unit for (unit,) in source.all("SELECT unit FROM packed") if unit.startswith(PARTS)]
    return sorted({unit for unit in named if bucket_of(unit, hashed) in wanted})


def news_units(source: Source, is_wanted: Callable[[str], bool]) -> list[str]:
    """Return what there is of these accounts, packed or not."""
    named = {account for (account,) in source.all("SELECT DISTINCT account FROM newsletter")}
    packed = [unit for (unit,) in source.all("SELECT unit FROM packed") if unit.startswith(NEWS)]
    named |= {account_of(unit) for unit in packed}
    return sorted(f"{NEWS}{account}" for account in named if is_wanted(account))


def account_of(unit: str) -> str:
    return unit.removeprefix(NEWS)


def is_here(source: Source, unit: str) -> bool:
    """Tell whether there is any of a unit that is at work here."""
    kind, _, rest = unit.partition("/")
    table, column, value = {
        FEED: ("feed", "source", rest.partition("/")[2]),
        REQUEST: ("request", "bucket", rest),
        APP: ("application", "name", rest),
        IMAP: ("far_mailbox", "source", rest),
        NEWS: ("newsletter", "account", rest),
    }[kind + "/"]
    return source.one(f"SELECT 1 FROM {table} WHERE {column} = ? LIMIT 1", (value,)) is not None


def leave(tx: Transaction, names: Iterable[str]) -> None:
    """They go: pack them."""
    for unit in names:
        found = _pack(tx, unit)
        if found:
            tx.execute("INSERT OR REPLACE INTO packed VALUES (?, ?)", (unit, _text(found)))


def arrive(tx: Transaction, names: Iterable[str]) -> None:
    """They are here: unpack them."""
    for unit in names:
        row = tx.one("DELETE FROM packed WHERE unit = ? RETURNING content", (unit,))
        if row:
            _unpack(tx, json.loads(row[0], object_hook=_octets))


def parts(source: Source, unit: str, told: dict[str, bytes], vault: Vault | None = None) -> Iterator[Part]:
    """What is packed goes, once."""
    row = source.one("SELECT content FROM packed WHERE unit = ?", (unit,))
    content = _opened(unit, row[0], vault) if row else ""
    if content and told.get(unit) != _digest(content):
        yield {"part": "packed", "name": unit, "content": content}
        told[unit] = _digest(content)


def put(tx: Transaction, part: Part, vault: Vault | None = None) -> None:
    content = _sealed(part["name"], part["content"], vault)
    tx.execute("INSERT OR REPLACE INTO packed VALUES (?, ?)", (part["name"], content))


def forget(tx: Transaction, unit: str) -> bool:
    tx.execute("DELETE FROM packed WHERE unit = ?", (unit,))
    return True


def digest(source: Source, unit: str, vault: Vault | None = None) -> str:
    row = source.one("SELECT content FROM packed WHERE unit = ?", (unit,))
    return _digest(_opened(unit, row[0], vault)).hex() if row else ""


def _opened(unit: str, content: str, vault: Vault | None) -> str:
    """What goes to another host; a password that this host cannot open goes as none."""
    return _with_secret(unit, content, lambda name, secret: vault.opened(secret, name) if vault else secret)


def _sealed(unit: str, content: str, vault: Vault | None) -> str:
    """What is stored of what came."""
    return _with_secret(unit, content, lambda name, secret: vault.seal(secret, name) if vault and secret else b"")


def _with_secret(unit: str, content: str, change: Callable[[str, bytes], bytes | None]) -> str:
    if not unit.startswith(IMAP):
        return content
    found = json.loads(content, object_hook=_octets)
    for row in found["far_mailbox"]:
        row["secret"] = change(row["source"], row["secret"]) or b""
    return _text(found)


def _text(found: Packed) -> str:
    return json.dumps(found, default=lambda octets: {"x": octets.hex()}, sort_keys=True)


def _pack(tx: Transaction, unit: str) -> Packed:
    """Take the rows out of their tables."""
    kind, _, rest = unit.partition("/")
    if kind + "/" == REQUEST:
        return {"request": _take(tx, "request", "bucket", int(rest))}
    if kind + "/" == APP:
        found = {"application": _take(tx, "application", "name", rest)}
        return found | {"posted_key": _take(tx, "posted_key", "application", rest)} if found["application"] else {}
    if kind + "/" == IMAP:
        found = {"far_mailbox": _take(tx, "far_mailbox", "source", rest)}
        return found | {"far_message": _take(tx, "far_message", "source", rest)} if found["far_mailbox"] else {}
    if kind + "/" == NEWS:
        return {"newsletter": _take(tx, "newsletter", "account", rest)}
    row = tx.one("SELECT id FROM feed WHERE source = ?", (rest.partition("/")[2],))
    if row is None:
        return {}
    return {table: _take(tx, table, "feed", row[0]) for table in OF_FEEDS} | {"feed": _take(tx, "feed", "id", row[0])}


def _take(tx: Transaction, table: str, column: str, value: object) -> list[dict[str, Any]]:
    cursor = tx.execute(f"DELETE FROM {table} WHERE {column} = ? RETURNING *", (value,))
    names = [described[0] for described in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    for row in rows:
        row.pop("id", None)
    return rows


def _unpack(tx: Transaction, found: Packed) -> None:
    feed = None
    for row in found.pop("feed", []):
        feed = _insert(tx, "feed", row)
    for table, rows in found.items():
        for row in rows:
            _insert(tx, table, row | {"feed": feed} if table in OF_FEEDS else row)


def _insert(tx: Transaction, table: str, row: dict[str, Any]) -> int:
    columns = ", ".join(row)
    marks = ", ".join("?" * len(row))
    return tx.insert(f"INSERT OR REPLACE INTO {table} ({columns}) VALUES ({marks})", list(row.values()))


def _digest(content: str) -> bytes:
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()


def _octets(found: dict[str, Any]) -> Any:
    return bytes.fromhex(found["x"]) if found.keys() == {"x"} else found
