"""A leaf: this host takes over a source's followers who live here, and gives them back when they are few.

Law: their `follow` rows are the list, whether a welcome brought them or the hand-over did: the highest generation wins
either way. From the moment the leaf has answered it keeps every post, whoever is known to follow: a welcome may come
after the post that it is for.
"""

from __future__ import annotations

from directory.names import FabricNames
from directory.snapshot import Directory
from mail.control import Welcome
from mail.envelope import Outgoing
from mail.follower_rows import ROWS_MAX, Row, digest_of, join, write_rows
from mail.tree_control import Adopt, Adopted, Audit, Dissolve, Fold, PassOn, Released, Report, Returned, Settled
from mailbox_host import passing
from mailbox_host.accounts import exists
from mailbox_host.follows import OPEN, TooManyFollows, welcome
from mailbox_host.leaf_mail import write
from store import Reader, Transaction

LATE_SECONDS = 14 * 86_400.0  # a queue gives up after 5 days: what is older never comes
# Why somebody was not taken over: there is no such account, it follows too many, it is another host's.
GONE, FULL, MOVED = "gone", "full", "moved"

LeafControl = Adopt | Fold | Released | Audit | Dissolve | Settled | PassOn


def is_registered(tx: Transaction, source: str, post: int) -> bool:
    """Tell whether the leaf keeps this post."""
    return tx.one("SELECT 1 FROM leaf WHERE source = ? AND until_post > ?", (source, post)) is not None


def register(tx: Transaction, source: str) -> None:
    """A source goes to another host: its followers here, who had it next door, are a leaf of it from now on."""
    tx.execute(
        f"INSERT INTO leaf VALUES (?, 0, {OPEN}, 0) ON CONFLICT (source) DO UPDATE SET until_post = {OPEN}", (source,)
    )


def take(
    tx: Transaction, directory: Directory, host: str, control: LeafControl, rows: list[Row], now: float
) -> tuple[Outgoing, ...]:
    """Carry out what the source's reflector says; return the answer."""
    names = directory.names
    match control:
        case Adopt():
            return _adopt(tx, directory, host, control, rows, now)
        case Fold():
            return _give_back(tx, names, host, control, now)
        case Released() if control.until:
            _end(tx, control.source, control.epoch, control.until, now)
        case Dissolve():
            _dissolve(tx, control, now)
        case Settled():
            passing.settle(tx, control, now)
        case Audit():
            return _report(tx, names, host, control, now)
    return ()


def _adopt(
    tx: Transaction, directory: Directory, host: str, control: Adopt, rows: list[Row], now: float
) -> tuple[Outgoing, ...]:
    """Take one part, which does no harm whatever becomes of it; answer once all are here."""
    tx.execute("DELETE FROM leaf_part WHERE at < ?", (now - LATE_SECONDS,))
    known = tx.one("SELECT epoch, folded FROM leaf WHERE source = ?", (control.source,)) or (0, 0)
    newest = tx.one("SELECT max(epoch) FROM leaf_part WHERE source = ?", (control.source,)) or (None,)
    if control.epoch < max(known[0], known[1] + 1, newest[0] or 0):
        return ()
    refused = [why for row in rows if (why := _refused(tx, directory, host, control.source, row, now))]
    tx.execute("DELETE FROM leaf_part WHERE source = ? AND epoch < ?", (control.source, control.epoch))
    tx.execute(
        "INSERT OR REPLACE INTO leaf_part VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            control.source,
            control.epoch,
            control.part,
            control.parts,
            len(rows),
            digest_of(rows),
            write_rows(refused),
            now,
        ),
    )
    parts = tx.all(
        "SELECT parts, rows, digest, refused FROM leaf_part WHERE source = ? AND epoch = ? ORDER BY part",
        (control.source, control.epoch),
    )
    if len(parts) != max(part[0] for part in parts):
        return ()
    _begin(tx, control.source, control.epoch)
    total, digest = sum(part[1] for part in parts), join(*(part[2] for part in parts))
    answer = Adopted(control.source, control.epoch, total, digest, host=host)
    return write(directory.names, answer, now, "".join(part[3] for part in parts))


def _refused(tx: Transaction, directory: Directory, host: str, source: str, row: Row, now: float) -> Row | None:
    """Take somebody over; return why not, as a row whose folder tells."""
    if not exists(tx, row.who):
        is_ours = directory.owner("timeline", directory.names.bucket(row.who)) == directory.stands_for(host)
        return Row(row.who, 0, 0, GONE if is_ours else MOVED)
    try:
        word = Welcome(source, row.from_post, row.generation, row.folder)
        tx.nested(lambda part: welcome(part, row.who, word, now))
    except TooManyFollows:
        return Row(row.who, 0, 0, FULL)
    return None


def _begin(tx: Transaction, source: str, epoch: int) -> None:
    tx.execute(
        f"INSERT INTO leaf VALUES (?, ?, {OPEN}, 0) ON CONFLICT (source) DO UPDATE"
        f" SET epoch = excluded.epoch, until_post = {OPEN}",
        (source, epoch),
    )


def _give_back(tx: Transaction, names: FabricNames, host: str, control: Fold, now: float) -> tuple[Outgoing, ...]:
    """Say who follows. Nothing changes here until the reflector has taken them over; then it tells from which post."""
    known = tx.one("SELECT epoch FROM leaf WHERE source = ?", (control.source,))
    if known is None or control.epoch <= known[0]:
        return ()
    rows = followers(tx, control.source)
    lots = [rows[at : at + ROWS_MAX] for at in range(0, len(rows), ROWS_MAX)] or [[]]
    digest = digest_of(rows)
    answers: tuple[Outgoing, ...] = ()
    for number, lot in enumerate(lots, 1):
        part = Returned(control.source, control.epoch, number, len(lots), len(rows), digest, 0, host=host)
        answers += write(names, part, now, write_rows(lot))
    return answers


def followers(place: Reader | Transaction, source: str) -> list[Row]:
    """Return who follows a source here, each once, as the newest welcome says; and who did, and moved away, and is not
    known to the list yet."""
    rows = place.all(
        f"""
        SELECT name, from_post, max(generation), folder FROM (
            SELECT a.name, f.from_post, f.generation, d.name AS folder
            FROM follow f JOIN account a ON a.id = f.account JOIN folder d ON d.id = f.folder
            WHERE f.source = ?1 AND f.until_post = {OPEN} AND f.from_post IS NOT NULL AND NOT a.away
            UNION ALL SELECT name, from_post, generation, folder FROM moved_follower WHERE source = ?1
        ) GROUP BY name ORDER BY name
        """,
        (source,),
    )
    return [Row(*row) for row in rows]


def registered(place: Reader | Transaction) -> int:
    """Count the sources whose lists send this host one copy for all: they do not know whoever follows here."""
    row = place.one(f"SELECT count(*) FROM leaf WHERE until_post = {OPEN}")
    assert row is not None
    return int(row[0])


def count(place: Reader | Transaction, source: str) -> int:
    """Count who follows a source here."""
    row = place.one(
        "SELECT count(DISTINCT f.account) FROM follow f JOIN account a ON a.id = f.account"
        f" WHERE f.source = ? AND f.until_post = {OPEN} AND f.from_post IS NOT NULL AND NOT a.away",
        (source,),
    )
    assert row is not None
    return int(row[0])


def _end(tx: Transaction, source: str, epoch: int, until: int, now: float) -> None:
    """Posts from `until` on come to each follower again; an older word than the last hand-over comes too late."""
    ended = tx.execute(
        "UPDATE leaf SET until_post = ?, folded = max(folded, ?) WHERE source = ? AND epoch < ?",
        (until, epoch, source, epoch),
    )
    if ended.rowcount:
        passing.end(tx, source, until, now)


def _dissolve(tx: Transaction, control: Dissolve, now: float) -> None:
    """The source is gone: nobody follows it, should one of its name come again."""
    if control.until:
        passing.end(tx, control.source, control.until, now)
        tx.execute(
            "UPDATE follow SET until_post = ? WHERE source = ? AND until_post > ? AND from_post IS NOT NULL",
            (control.until, control.source, control.until),
        )
    tx.execute(
        "UPDATE leaf SET until_post = ?, folded = max(folded, ?) WHERE source = ? AND epoch <= ?",
        (control.until, control.epoch, control.source, control.epoch),
    )


def _report(tx: Transaction, names: FabricNames, host: str, control: Audit, now: float) -> tuple[Outgoing, ...]:
    known = tx.one("SELECT epoch FROM leaf WHERE source = ?", (control.source,)) or (0,)
    rows = followers(tx, control.source)
    report = Report(control.source, known[0], len(rows), len(rows), 0, 0, digest_of(rows), host=host)
    return write(names, report, now, "")
