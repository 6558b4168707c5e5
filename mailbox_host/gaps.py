"""Where a lost host's numbers ended, as its replica knew them: noted for each folder when its heir skips ahead.

Law: UIDs below `uidnext` are the same messages at both hosts; those that the lost host gave after it are in the gap,
where its heir gives none. So what a host that comes back has beyond the gap's beginning, its heir lacks, and nothing
else. A gap goes along when its account moves.
"""

from __future__ import annotations

from typing import Any

from mailbox_host.skipping import skip_uids
from store import Reader, Transaction

Source = Reader | Transaction
Gap = dict[str, Any]  # JSON: password, folders: [uidvalidity, uidnext, modseq]

ACCOUNT = 0  # instead of a folder's UIDVALIDITY


def skip_after(tx: Transaction, host: str) -> int:
    """In a lost host's replica: note how far it came, and skip; return how many folders there are."""
    tx.execute("DELETE FROM uid_gap WHERE host = ?", (host,))
    tx.execute("INSERT INTO uid_gap SELECT account, ?, uidvalidity, uidnext, modseq, NULL FROM folder", (host,))
    tx.execute("INSERT INTO uid_gap SELECT id, ?, ?, 0, 0, password FROM account", (host, ACCOUNT))
    return skip_uids(tx)


def gap_of(source: Source, name: str, host: str) -> Gap | None:
    """Return what is noted of an account that is here; None where there is none of that name. Without a note there is
    nothing that the lost host could have."""
    account = source.one("SELECT id FROM account WHERE name = ? AND NOT away", (name,))
    if account is None:
        return None
    return gap_of_any(source, name, host)


def skip_units(tx: Transaction, names: list[str], host: str) -> None:
    """The same for some accounts: of what a lost host had from here, and may not have told its replica."""
    chosen = "(SELECT id FROM account WHERE name = ?)"
    for name in names:
        tx.execute(f"DELETE FROM uid_gap WHERE host = ? AND account = {chosen}", (host, name))
        sql = "INSERT INTO uid_gap SELECT account, ?, uidvalidity, uidnext, modseq, NULL FROM folder WHERE account ="
        tx.execute(f"{sql} {chosen}", (host, name))
        tx.execute(
            "INSERT INTO uid_gap SELECT id, ?, ?, 0, 0, password FROM account WHERE name = ?", (host, ACCOUNT, name)
        )
        skip_uids(tx, name)


def own_gap(source: Source, name: str, host: str) -> Gap:
    """Where two hosts own an account, and this one gives way: what it took since it came back from a backup, or all."""
    if gap := gap_of_any(source, name, host):
        return gap
    row = source.one("SELECT password FROM account WHERE name = ?", (name,))
    return {"password": row[0] if row else None, "folders": []}


def gap_of_any(source: Source, name: str, host: str) -> Gap:
    """What is noted of an account, whether it is here or away."""
    sql = (
        "SELECT g.folder, g.uidnext, g.modseq, g.password FROM uid_gap g JOIN account a ON a.id = g.account"
        " WHERE a.name = ? AND g.host = ? ORDER BY g.folder"
    )
    rows = source.all(sql, (name, host))
    return {"password": rows[0][3], "folders": [list(row[:3]) for row in rows[1:]]} if rows else {}


def note(tx: Transaction, name: str, host: str, gap: Gap) -> None:
    """Note at the other owner what the host that gives way says of itself; once it has begun that stays."""
    account = tx.one("SELECT id FROM account WHERE name = ? AND NOT away", (name,))
    if account is None or gap_of_any(tx, name, host):
        return
    rows = [(account[0], host, ACCOUNT, 0, 0, gap["password"])]
    rows += [(account[0], host, *folder, None) for folder in gap["folders"]]
    tx.executemany("INSERT INTO uid_gap VALUES (?, ?, ?, ?, ?, ?)", rows)
