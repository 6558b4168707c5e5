"""A host's database gone through as an auditor does: every count is made again from what it counts.

Law: it reads everybody's tables, as nothing else may, and changes nothing. A table that begins to name bodies and is
not listed here is a fault, so that the list stays whole.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

# Who holds references to bodies. What is FREE goes with a body and counts for nothing.
HOLDERS = ("queue_message", "recent_post", "post_log", "entry", "carried")
FREE = ("body_facts", "header_cut", "header_words")


def faults(path: Path) -> list[str]:
    """Return what is wrong with a host's database; nothing, if all is well."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return [fault for check in CHECKS for fault in check(database)]


def integrity(database: sqlite3.Connection) -> Iterator[str]:
    """SQLite's own view: pages, indexes, NOT NULL and UNIQUE, foreign keys."""
    for (said,) in database.execute("PRAGMA integrity_check"):
        if said != "ok":
            yield f"integrity_check: {said}"
    for row in database.execute("PRAGMA foreign_key_check"):
        yield f"foreign_key_check: {row}"


def holders(database: sqlite3.Connection) -> Iterator[str]:
    sql = "SELECT m.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'body'"
    for (table,) in database.execute(sql):
        if table not in (*HOLDERS, *FREE):
            yield f"{table} names bodies, and the audit does not know it"


def references(database: sqlite3.Connection) -> Iterator[str]:
    """Each body's count is the number of rows that name it, and none is kept for nobody."""
    held: Counter[int] = Counter()
    for table in HOLDERS:
        held.update(dict(database.execute(f"SELECT body, count(*) FROM {table} GROUP BY body").fetchall()))
    counted = dict(database.execute("SELECT id, refs FROM body").fetchall())
    for body in sorted(held.keys() | counted.keys()):
        if held[body] != counted.get(body, 0) or held[body] == 0:
            yield f"body {body}: counted {counted.get(body, 'none')}, named by {held[body]} rows"


def contents(database: sqlite3.Connection) -> Iterator[str]:
    """Each body is there, whole: its octets are those of its digest."""
    sql = "SELECT b.id, b.digest, b.size, c.header, c.text FROM body b LEFT JOIN body_content c USING (id)"
    for body, digest, size, header, text in database.execute(sql):
        content = None if header is None else header + text
        if content is None or hashlib.sha256(content).digest() != digest or len(content) != size:
            yield f"body {body}: its content is {'missing' if content is None else 'not what was stored'}"
    for (body,) in database.execute("SELECT id FROM body_content EXCEPT SELECT id FROM body"):
        yield f"content {body} belongs to no body"


def queue(database: sqlite3.Connection) -> Iterator[str]:
    """A message has recipients, a recipient has a message."""
    for (message,) in database.execute("SELECT id FROM queue_message EXCEPT SELECT message FROM queue_recipient"):
        yield f"queued message {message} has no recipient"
    for (message,) in database.execute("SELECT message FROM queue_recipient EXCEPT SELECT id FROM queue_message"):
        yield f"recipients of message {message}, which is gone"


def folders(database: sqlite3.Connection) -> Iterator[str]:
    """UIDs and modification sequences are under what the folder would give next; every folder has its account."""
    sql = """
        SELECT f.id, f.uidnext, f.modseq, max(e.uid), max(e.modseq) FROM folder f JOIN entry e ON e.folder = f.id
        GROUP BY f.id HAVING max(e.uid) >= f.uidnext OR max(e.modseq) > f.modseq
    """
    for row in database.execute(sql):
        yield f"folder {row[0]}: uidnext {row[1]}, modseq {row[2]}, but an entry has uid {row[3]}, modseq {row[4]}"
    for (folder,) in database.execute("SELECT folder FROM entry EXCEPT SELECT id FROM folder"):
        yield f"entries in folder {folder}, which is gone"
    for (account,) in database.execute("SELECT account FROM folder EXCEPT SELECT id FROM account"):
        yield f"folders of account {account}, which is gone"


def posts(database: sqlite3.Connection) -> Iterator[str]:
    """A post was had by an account or is there, never both."""
    sql = "SELECT account, source, post FROM entry INTERSECT SELECT account, source, post FROM had_post"
    for row in database.execute(sql):
        yield f"account {row[0]} has post {row[2]} of {row[1]}, and had it"


def quotas(database: sqlite3.Connection) -> Iterator[str]:
    """What an account is said to keep is what was brought to it: its entries that are no posts."""
    sql = """
        SELECT a.name, a.octets, a.messages, coalesce(sum(e.size), 0) AS kept, count(e.uid) AS many FROM account a
        LEFT JOIN folder f ON f.account = a.id LEFT JOIN entry e ON e.folder = f.id AND e.source IS NULL
        GROUP BY a.id HAVING a.octets <> kept OR a.messages <> many
    """
    for name, octets, messages, size, many in database.execute(sql):
        yield f"{name} counts {octets} octets in {messages} messages and keeps {size} in {many}"


def forgotten(database: sqlite3.Connection) -> Iterator[str]:
    """What a folder remembers of expunges is whole from where it forgot, and what left the log is not in it below."""
    sql = "SELECT f.name, x.uid FROM folder f JOIN expunged x ON x.folder = f.id WHERE x.modseq <= f.forgotten"
    for name, uid in database.execute(sql):
        yield f"folder {name} has forgotten its expunges up to one that it remembers: {uid}"


def subscribers(database: sqlite3.Connection) -> Iterator[str]:
    """A source's count of subscribers is that of its open intervals."""
    sql = """
        SELECT s.name, s.subscribers, (SELECT count(*) FROM subscriber r WHERE r.source = s.name
        AND r.until_post = 9223372036854775807) AS open FROM source s WHERE open <> s.subscribers
    """
    for name, counted, there in database.execute(sql):
        yield f"{name} counts {counted} subscribers and has {there}"


CHECKS = (integrity, holders, references, contents, queue, folders, posts, quotas, forgotten, subscribers)
