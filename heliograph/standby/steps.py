"""How far each inheritance is: the one table of promotion and return (epochs.py has what it means).

Law: a step is written when what it stands for is on disk.
"""

from __future__ import annotations

from heliograph.moving.parties import Party
from store import Store, Transaction

BEGUN, DONE, OVER = "begun", "done", "over"
HELD, RETURNED = "held", "returned"


def row_of(party: Party, host: str) -> tuple[str, int] | None:
    """Return the step, and the last number that was adopted."""
    row = party.store.reader.one("SELECT step, upto FROM inheritance WHERE host = ?", (host,))
    return (row[0], row[1]) if row else None


def steps(party: Party) -> list[tuple[str, str]]:
    return [(host, step) for host, step in party.store.reader.all("SELECT host, step FROM inheritance ORDER BY host")]


def set_step(host: str, step: str, tx: Transaction) -> None:
    sql = "INSERT INTO inheritance VALUES (?, ?, '', 0, 0) ON CONFLICT (host) DO UPDATE SET step = excluded.step"
    tx.execute(sql, (host, step))


def reach(host: str, step: str, upto: int, tx: Transaction) -> None:
    """An inheritance has come to a step; what was adopted before stays known."""
    sql = (
        "INSERT INTO inheritance VALUES (?1, ?2, '', ?3, 0)"
        " ON CONFLICT (host) DO UPDATE SET step = ?2, upto = max(upto, ?3)"
    )
    tx.execute(sql, (host, step, upto))


def adopted_before(replica: Store) -> list[tuple[str, int]]:
    """What a host that is lost itself had adopted, as an heir: the lost hosts, and the last number of each."""
    rows = replica.reader.all("SELECT host, upto FROM inheritance WHERE step = ? ORDER BY host", (DONE,))
    return [(host, upto) for host, upto in rows]
