"""Accounts that come from another host: put in part by part, next to those that are served here.

Law: nothing here is served before the hand-over is complete, and all of it can be taken out again. A part that comes
twice does no harm. See carrying.py for what the parts are.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from mailbox_host import accounts
from mailbox_host.carrying import SHORT, Layout, Row
from store import Bodies, Transaction

ALL = 2**62


def put(layout: Layout, tx: Transaction, part: dict[str, Any]) -> None:
    """Put a part in; once more does no harm. The bodies that it names are here."""
    if part["part"] == "head":
        return _put_head(layout, tx, part)
    folder = tx.one(
        "SELECT f.id, a.id FROM account a JOIN folder f ON f.account = a.id WHERE a.name = ? AND f.uidvalidity = ?",
        (part["name"], part["folder"]),
    )
    if folder is None:  # it went between the head and this: the next head says so
        return None
    if part["part"] == "gone":
        return _put_gone(tx, folder[0], part)
    return _put_entries(layout, tx, folder[0], folder[1], part["rows"])


def _put_head(layout: Layout, tx: Transaction, part: dict[str, Any]) -> None:
    name = part["name"]
    if part["account"] is None:
        forget(tx, name, most=ALL)
    tx.execute("DELETE FROM former_account WHERE name = ?", (name,))
    if part["former"] is not None:
        tx.execute("INSERT INTO former_account VALUES (?, ?)", (name, part["former"]))
    if part["account"] is None:
        return
    account = _put_account(layout, tx, part["account"])
    kept = [_put_folder(layout, tx, account, row) for row in part["folder"]]
    for (folder,) in tx.all("SELECT id FROM folder WHERE account = ?", (account,)):
        if folder not in kept:
            _drop_folder(tx, account, folder)
    _put_short(layout, tx, account, part)


def _put_account(layout: Layout, tx: Transaction, row: Row) -> int:
    """The cursor stays at the beginning: what this host's log has of her follows, and she has not, is filed when she
    looks."""
    columns = layout.columns["account"]
    taken = ", ".join(f"{column} = excluded.{column}" for column in columns)
    marks = ", ".join("?" * len(columns))
    found = tx.one(
        f"INSERT INTO account ({', '.join(columns)}, cursor, away) VALUES ({marks}, 0, 1)"
        f" ON CONFLICT (name) DO UPDATE SET {taken} RETURNING id",
        row,
    )
    assert found is not None
    return int(found[0])


def _put_folder(layout: Layout, tx: Transaction, account: int, row: Row) -> int:
    columns = layout.columns["folder"]
    validity = row[columns.index("uidvalidity")]
    found = tx.one("SELECT id FROM folder WHERE account = ? AND uidvalidity = ?", (account, validity))
    # Another folder may have had this name until now; what it is called is set right by its own row.
    tx.execute(
        "UPDATE folder SET name = name || char(0) || id WHERE account = ? AND name = ?",
        (account, row[columns.index("name")]),
    )
    if found is None:
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT INTO folder (account, {', '.join(columns)}) VALUES (?, {marks})"
        return tx.insert(sql, (account, *row))
    taken = ", ".join(f"{column} = ?" for column in columns)
    tx.execute(f"UPDATE folder SET {taken} WHERE id = ?", (*row, found[0]))
    return int(found[0])


def _drop_folder(tx: Transaction, account: int, folder: int) -> None:
    rows = tx.all("DELETE FROM entry WHERE folder = ? RETURNING body", (folder,))
    Bodies.release_many(tx, Counter(body for (body,) in rows))
    tx.execute("DELETE FROM expunged WHERE folder = ?", (folder,))
    tx.execute("DELETE FROM folder WHERE id = ?", (folder,))


def _put_short(layout: Layout, tx: Transaction, account: int, part: dict[str, Any]) -> None:
    for table in SHORT:
        columns, rows = layout.columns[table], part[table]
        if table == "follow":
            by_validity: dict[int, int] = dict(
                tx.all("SELECT uidvalidity, id FROM folder WHERE account = ?", (account,))
            )
            columns, rows = [*columns, "folder"], [[*row[:-1], by_validity.get(row[-1], 0)] for row in rows]
        tx.execute(f"DELETE FROM {table} WHERE account = ?", (account,))
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT INTO {table} (account, {', '.join(columns)}) VALUES (?, {marks})"
        tx.executemany(sql, [(account, *row) for row in rows])


def _put_gone(tx: Transaction, folder: int, part: dict[str, Any]) -> None:
    gone = [uid for _, uid in part["expunged"]]
    if part.get("all") is not None:
        here = set(part["all"])
        gone += [uid for (uid,) in tx.all("SELECT uid FROM entry WHERE folder = ?", (folder,)) if uid not in here]
    sql = "DELETE FROM entry WHERE folder = ? AND uid IN (SELECT value FROM json_each(?)) RETURNING body"
    rows = tx.all(sql, (folder, json.dumps(gone)))
    Bodies.release_many(tx, Counter(body for (body,) in rows))
    tx.executemany("INSERT OR IGNORE INTO expunged VALUES (?, ?, ?)", [(folder, *row) for row in part["expunged"]])
    tx.execute("DELETE FROM expunged WHERE folder = ? AND modseq <= ?", (folder, part["forgotten"]))


def _put_entries(layout: Layout, tx: Transaction, folder: int, account: int, rows: list[Row]) -> None:
    found = Bodies.by_digest(tx, map(bytes.fromhex, {row[1] for row in rows}))
    bodies = {digest.hex(): body for digest, body in found.items()}
    rows = [row for row in rows if row[1] in bodies]  # a body that went while it was read: its entry went too
    columns = layout.columns["entry"]
    uids = json.dumps([row[0] for row in rows])
    there = "folder = ? AND uid IN (SELECT value FROM json_each(?))"
    old = tx.all(f"DELETE FROM entry WHERE {there} RETURNING body", (folder, uids))
    old += _elsewhere(tx, account, rows, columns)
    Bodies.share_many(tx, Counter(bodies[row[1]] for row in rows))
    marks = ", ".join("?" * len(columns))
    tx.executemany(
        f"INSERT INTO entry (folder, account, uid, body, {', '.join(columns)}) VALUES (?, ?, ?, ?, {marks})",
        [(folder, account, row[0], bodies[row[1]], *row[2:]) for row in rows],
    )
    Bodies.release_many(tx, Counter(body for (body,) in old))


def _elsewhere(tx: Transaction, account: int, rows: list[Row], columns: list[str]) -> list[tuple[int]]:
    """Posts that were read in one folder, and moved to another before that was read."""
    at = columns.index("source") + 2, columns.index("post") + 2
    posts = [[row[at[0]], row[at[1]]] for row in rows if row[at[0]] is not None]
    return tx.all(
        # post by post through the index: said as one condition, SQLite reads everybody's entries
        "DELETE FROM entry WHERE (folder, uid) IN (SELECT e.folder, e.uid FROM json_each(?2) p CROSS JOIN entry e"
        " ON e.account = ?1 AND e.source = p.value ->> 0 AND e.post = p.value ->> 1) RETURNING body",
        (account, json.dumps(posts)),
    )


def forget(tx: Transaction, name: str, most: int) -> bool:
    """Let go of a unit, a slice at a time; False: there is more. Nothing remembers it here, not even that it was."""
    row = tx.one("SELECT id FROM account WHERE name = ?", (name,))
    if row is not None:
        entries = tx.all("SELECT folder, uid, body FROM entry WHERE account = ? LIMIT ?", (row[0], most))
        tx.executemany("DELETE FROM entry WHERE folder = ? AND uid = ?", [entry[:2] for entry in entries])
        Bodies.release_many(tx, Counter(entry[2] for entry in entries))
        if len(entries) == most:
            return False
        tx.execute("UPDATE account SET away = 0 WHERE id = ?", row)
        accounts.remove(tx, name)
    tx.execute("DELETE FROM former_account WHERE name = ?", (name,))
    return True
