"""A list takes over followers from the list above it.

Law: parts come in any order, any of them twice. Nothing is answered before all are there; then one transaction makes
them this list's rows. A higher epoch replaces what a lower one brought; a lower one is not heard.
"""

from __future__ import annotations

from dataclasses import replace

from mail.follower_rows import Row, digest_of, join
from mail.tree_control import Adopt, Adopted
from reflector.dissolving import dissolve_branches
from reflector.letter import House
from reflector.nodes import Node, find_node, look_at, unstage, write_node
from reflector.sources import clean_title
from reflector.subscriptions import add_row, close_open, open_interval, read_subscriber
from reflector.tokens import bounce_token
from reflector.tree import list_of, parent_of
from reflector.tree_mail import Mails, address_of, write
from store import Transaction, events


def adopt(house: House, tx: Transaction, control: Adopt, rows: list[Row], now: float) -> Mails:
    """Take one part; answer once all are here."""
    list_ = list_of(control.source, control.node)
    node = find_node(tx, list_)
    if node and control.epoch < max(node.epoch, node.folded + 1):
        return ()
    mails: Mails = ()
    if not (node and control.epoch == node.epoch):
        if not stage(tx, list_, "", control.epoch, control.part, control.parts, rows, now):
            return ()
        rows, _ = staged(tx, list_, "", control.epoch)
        # Branches of an older hand-over that came to nothing come to nothing too.
        mails = dissolve_branches(house, tx, list_, 0, control.generation, now)
        node = _settle(house, tx, list_, control, rows, node, now)
    answer = Adopted(control.source, control.epoch, node.rows, node.digest, control.node)
    return mails + write(house, [address_of(house, parent_of(list_))], answer, now)


def stage(
    tx: Transaction, list_: str, branch: str, epoch: int, part: int, parts: int, rows: list[Row], now: float
) -> bool:
    """Keep a part; True where none of this epoch is missing now. `parts` is told by the last one alone."""
    newest = tx.one("SELECT max(epoch) FROM part WHERE list = ? AND branch = ?", (list_, branch))
    if newest and newest[0] is not None and newest[0] > epoch:
        return False
    unstage(tx, list_, branch, before=epoch)
    key = (list_, branch, epoch, part)
    tx.execute("DELETE FROM staged WHERE list = ? AND branch = ? AND epoch = ? AND part = ?", key)
    tx.execute(
        "INSERT OR REPLACE INTO part VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*key, parts, len(rows), digest_of(rows), now)
    )
    tx.executemany(
        "INSERT INTO staged VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(*key, row.who, row.from_post, row.generation, row.folder) for row in rows],
    )
    held = tx.one("SELECT count(*), max(parts) FROM part WHERE list = ? AND branch = ? AND epoch = ?", key[:3])
    return held is not None and 0 < held[1] == held[0]


def staged(tx: Transaction, list_: str, branch: str, epoch: int) -> tuple[list[Row], str]:
    """Return all rows of an epoch, and the digest of its parts."""
    key = (list_, branch, epoch)
    rows = tx.all(
        "SELECT who, from_post, generation, folder FROM staged WHERE list = ? AND branch = ? AND epoch = ?", key
    )
    digests = tx.all("SELECT digest FROM part WHERE list = ? AND branch = ? AND epoch = ?", key)
    return [Row(*row) for row in rows], join(*(digest for (digest,) in digests))


def _settle(
    house: House, tx: Transaction, list_: str, control: Adopt, rows: list[Row], before: Node | None, now: float
) -> Node:
    # What is open is of an older hand-over: never cut over, or taken back, which we have not heard yet.
    close_open(tx, list_, control.since, now)
    _open_list(tx, list_, control, now)
    taken = take_rows(house, tx, list_, rows, 0)
    tx.execute("UPDATE source SET subscribers = ? WHERE name = ?", (len(taken), list_))
    node = Node(list_, control.lo, control.hi, epoch=control.epoch, rows=len(taken), digest=digest_of(taken))
    if before:
        node = replace(node, folded=before.folded, given=before.given)
    write_node(tx, node)
    unstage(tx, list_, "")
    look_at(tx, list_, now)
    events.append(tx, now, "adopted", source=list_, epoch=control.epoch, rows=len(taken))
    return node


def _open_list(tx: Transaction, list_: str, control: Adopt, now: float) -> None:
    """A list that was here before goes on with its numbers; nothing new begins before `since`."""
    tx.execute(
        "INSERT INTO source (name, owner, title, backlog, next_post, generation, subscribers, created, removed, floor)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, 0, ?5) ON CONFLICT (name) DO UPDATE"
        " SET owner = ?2, title = ?3, backlog = ?4, next_post = max(next_post, ?5), generation = max(generation, ?6),"
        " removed = 0, floor = max(floor, ?5)",
        (list_, control.owner, clean_title(control.title), control.backlog, control.since, control.generation, now),
    )


def take_rows(house: House, tx: Transaction, list_: str, rows: list[Row], since: int) -> list[Row]:
    """Make rows ours, none before `since`; return those that are new here."""
    new = []
    for row in rows:
        who = read_subscriber(house.names, row.who if "@" in row.who else house.names.person(row.who))
        if who is None or open_interval(tx, list_, who.address):
            continue
        token = "" if who.entity else bounce_token(house.key, list_, who.address, row.generation)
        add_row(tx, list_, who, max(row.from_post, since), row.generation, token, row.folder)
        new.append(row)
    return new
