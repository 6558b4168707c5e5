"""A list gives a part of its followers to a branch: a sub-reflector, or a leaf on a host.

Law: until the branch has answered with the very digest of what was sent, this list delivers, and commands for that part
wait. Then one transaction closes those rows at the next post's number and opens the branch there: every post is on one
side of it. What is not answered in time is given up, and begun anew under a higher epoch.
"""

from __future__ import annotations

from dataclasses import replace

from mail.follower_rows import NOTHING, Row, digest_of, join
from mail.tree_control import Adopt, Adopted, Released
from reflector.letter import House
from reflector.nodes import (
    DOWN,
    UP,
    Branch,
    Move,
    add_branch,
    end_move,
    find_node,
    look_at,
    write_move,
    write_node,
)
from reflector.sources import Source
from reflector.subscriptions import FABRIC, FOREIGN, close_moved
from reflector.tables import OPEN
from reflector.tree import LEAF, SUB, Range, node_of
from reflector.tree_mail import Mails, branch_address, write
from store import Transaction, events

FULL, MOVED = "full", "moved"  # what a leaf says of who follows too many, or does not live there (mailbox_host.leaves)
SCANNED_MAX = 10_000  # rows looked through for one message: 20 ms of the writer's time


def begin(
    house: House, tx: Transaction, source: Source, kind: str, name: str, part: Range, now: float, way: str = DOWN
) -> Move:
    """Begin a hand-over; the epoch is a moment, so that no copy of this database can have given it."""
    node = find_node(tx, source.list)
    assert node is not None
    epoch = max(node.given + 1, int(now))
    write_node(tx, replace(node, given=epoch))
    due = now if way == DOWN else now + house.settings.answer_seconds
    move = Move(source.list, name, kind, way, part.lo, part.hi, epoch, source.next_post, now, due, digest=NOTHING)
    write_move(tx, move)
    events.append(tx, now, "hand-over-begun", source=source.list, branch=name, way=way, epoch=epoch)
    return move


def send_part(house: House, tx: Transaction, source: Source, move: Move, now: float) -> Mails:
    """Send the next rows, and mark them: what is closed in the end is what was sent."""
    found, cursor, more = _next_rows(house, tx, move)
    rows = [row for _, row in found]
    tx.executemany("UPDATE subscriber SET moving = ? WHERE id = ?", [(move.epoch, id_) for id_, _ in found])
    move = replace(
        move,
        cursor=cursor,
        part=move.part + 1,
        whole=int(not more),
        rows=move.rows + len(rows),
        digest=join(move.digest, digest_of(rows)),
        due=now if more else now + house.settings.answer_seconds,
    )
    write_move(tx, move)
    word = adoption(
        source,
        move.kind,
        move.branch,
        move.range,
        epoch=move.epoch,
        part=move.part,
        parts=move.part if move.whole else 0,
        since=move.since,
    )
    return write(house, [branch_address(house, move.list, move.kind, move.branch)], word, now, rows)


def take_answer(house: House, tx: Transaction, move: Move, answer: Adopted, refused: list[Row], now: float) -> Mails:
    """Cut over, or give up where it holds something else."""
    if (answer.rows, int(answer.digest or "0", 16)) != (move.rows, int(move.digest, 16)):
        events.append(tx, now, "digest-differs", source=move.list, branch=move.branch, epoch=move.epoch)
        return give_up(house, tx, move, now)
    if any(row.folder == MOVED for row in refused):  # some are on their way: once they are there
        return give_up(house, tx, move, now)
    # Who has too many follows stays with us; who has no account any more is gone from the list too.
    _cut_over(tx, move, [house.names.person(row.who) for row in refused if row.folder == FULL], now)
    node = find_node(tx, move.list)
    assert node is not None
    write_node(tx, replace(node, tries=0, rest_until=0.0))
    look_at(tx, move.list, now)
    return ()


def _cut_over(tx: Transaction, move: Move, stay: list[str], now: float) -> None:
    row = tx.one("SELECT next_post FROM source WHERE name = ?", (move.list,))
    assert row is not None
    until = int(row[0])
    for address in stay:
        tx.execute(
            "UPDATE subscriber SET moving = 0 WHERE source = ? AND moving = ? AND address = ?",
            (move.list, move.epoch, address),
        )
    count = close_moved(tx, move.list, move.epoch, until, now)
    add_branch(tx, Branch(move.list, move.branch, move.kind, move.lo, move.hi, until, OPEN, move.epoch, total=count))
    end_move(tx, move)
    events.append(
        tx, now, "handed-over", source=move.list, branch=move.branch, epoch=move.epoch, rows=count, since=until
    )


def give_up(house: House, tx: Transaction, move: Move, now: float) -> Mails:
    """Go on as before, and try again later. A branch that was asked back goes on too."""
    end_move(tx, move)
    node = find_node(tx, move.list)
    assert node is not None
    settings = house.settings
    rest = min(settings.rest_seconds_min * 2 ** min(node.tries, 30), settings.rest_seconds_max)
    write_node(tx, replace(node, tries=node.tries + 1, rest_until=now + rest))
    look_at(tx, move.list, now + rest)
    events.append(tx, now, "hand-over-given-up", source=move.list, branch=move.branch, epoch=move.epoch, way=move.way)
    return resume(house, move, now) if move.way == UP else ()


def resume(house: House, move: Move, now: float) -> Mails:
    to = branch_address(house, move.list, move.kind, move.branch)
    return write(house, [to], released(move.list, move.kind, move.branch, move.epoch, 0), now)


def released(list_: str, kind: str, name: str, epoch: int, until: int) -> Released:
    node, host = ends(kind, name)
    return Released(list_.partition("+")[0], epoch, until, node, host)


def ends(kind: str, name: str) -> tuple[int, str]:
    """Return a branch as controls name it: (node, host)."""
    return (node_of(name), "") if kind == SUB else (0, name)


def adoption(
    source: Source, kind: str, name: str, range_: Range, *, epoch: int, part: int, parts: int, since: int
) -> Adopt:
    """The word with which rows go to a branch."""
    node, host = ends(kind, name)
    return Adopt(
        source=source.name,
        epoch=epoch,
        part=part,
        parts=parts,
        node=node,
        host=host,
        lo=range_.lo,
        hi=range_.hi,
        since=since,
        generation=source.generation,
        owner=source.owner,
        title=source.title,
        backlog=source.backlog,
    )


def _next_rows(house: House, tx: Transaction, move: Move) -> tuple[list[tuple[int, Row]], int, bool]:
    """Return rows with their ids, the cursor behind them, and whether there may be more. To a sub-reflector they go
    as they count from now on: what was before, this list has sent."""
    found: list[tuple[int, Row]] = []
    kind = FABRIC if move.kind == LEAF else FOREIGN
    scanned = tx.all(
        "SELECT id, hash, address, from_post, generation, folder FROM subscriber"
        f" WHERE source = ? AND kind = ? AND until_post = {OPEN} AND id > ? ORDER BY id LIMIT {SCANNED_MAX}",
        (move.list, kind, move.cursor),
    )
    cursor = move.cursor
    for id_, hash_, address, from_post, generation, folder in scanned:
        if len(found) == house.settings.rows_max:
            return found, cursor, True
        cursor = id_
        if move.kind == LEAF:
            entity = address.partition("@")[0]
            if house.home(entity) == move.branch:
                found.append((id_, Row(entity, from_post, generation, folder)))
        elif hash_ in move.range:
            found.append((id_, Row(address, max(from_post, move.since), generation)))
    return found, cursor, len(scanned) == SCANNED_MAX
