"""What a lost host had for no bucket in particular, put into its heir's own tables: posts, leaves, the queue.

Law: some at a time, and how far it came is written in the transaction that takes them: each message is adopted once.
"""

from __future__ import annotations

from functools import partial

from heliograph.moving.parties import Party
from mailbox_host import inheriting
from spool import adopting
from store import Store, Transaction

POSTS_AT_ONCE = 50
MESSAGES_AT_ONCE = 100
OCTETS_AT_ONCE = 4 << 20


async def adopt_log(party: Party, estate: Store, me: str) -> None:
    """Once more does no harm."""
    leaves, passed = inheriting.read_leaves(estate.reader), inheriting.read_passed(estate.reader)
    await party.store.write(lambda tx: inheriting.put_leaves(tx, leaves))
    await party.store.write(lambda tx: inheriting.put_passed(tx, passed, me, party.clock()))
    after, since = 0, party.clock() - inheriting.LATE_SECONDS
    while rows := await estate.read(partial(_log, after, since)):
        await party.store.write(partial(_put_log, rows))
        after = rows[-1].seq


async def adopt_queue(party: Party, estate: Store, lost: str) -> None:
    """Take over the queue; return when all of it is in ours."""
    row = party.store.reader.one("SELECT at FROM inheritance WHERE host = ?", (lost,))
    after = int(row[0]) if row else 0
    while some := await estate.read(partial(_queued, after)):
        await party.store.write(partial(_adopt, party, lost, some))
        after = some[-1].message.id
        await party.at("adopting")
    await party.at("adopted")


def _adopt(party: Party, lost: str, some: list[adopting.Adopted], tx: Transaction) -> None:
    for one in some:
        adopting.put(tx, party.queue, one, party.clock())
    tx.execute("UPDATE inheritance SET at = ? WHERE host = ?", (some[-1].message.id, lost))


def _log(after: int, since: float, reader: inheriting.Source) -> list[inheriting.Logged]:
    return inheriting.read_log(reader, after, since, POSTS_AT_ONCE, OCTETS_AT_ONCE)


def _put_log(rows: list[inheriting.Logged], tx: Transaction) -> None:
    inheriting.put_log(tx, rows)


def _queued(after: int, reader: adopting.Source) -> list[adopting.Adopted]:
    return adopting.read(reader, after, MESSAGES_AT_ONCE, OCTETS_AT_ONCE)
