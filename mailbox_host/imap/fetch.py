"""FETCH: in bounded batches, so that a large one neither fills memory nor keeps others waiting (RFC 3501 6.4.5).

Law: at most a batch of rows and one message beyond FETCH_BATCH_OCTETS are held at a time; the next batch is made when
the client has taken this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from mailbox_host import entries
from mailbox_host.columns import Columns
from mailbox_host.entries import SEEN, Entry
from mailbox_host.imap import commands as ask
from mailbox_host.imap.change import NO_SUCH_MESSAGE, beyond
from mailbox_host.imap.commands import BodyPart, Command, FetchItem
from mailbox_host.imap.effects import Steps, read, write
from mailbox_host.imap.fetch_response import Batch, Form, with_recent
from mailbox_host.imap.loading import Made, find_kept, kept, load_contents, make_kept
from mailbox_host.imap.reading import columns_now, rows_of, use_condstore
from mailbox_host.imap.responses import bad, no, ok
from mailbox_host.imap.resync import tell_vanished
from mailbox_host.imap.selected import Selected
from mailbox_host.imap.sequence import positions
from mailbox_host.imap.session import Session
from mailbox_host.imap.settings import (
    FETCH_BATCH_MESSAGES,
    FETCH_BATCH_OCTETS,
    INLINE_MESSAGES_MAX,
    INLINE_OCTETS_MAX,
)
from mailbox_host.imap.telling import tell_keywords
from store import Reader, StoreFull


@dataclass(frozen=True, slots=True)
class Plan:
    """What a FETCH shows, and what it takes. `after`: how a message is shown that the FETCH itself has set \\Seen."""

    form: Form
    after: Form
    kept: tuple[FetchItem, ...]
    parts: tuple[BodyPart, ...]
    sets_seen: bool
    changed_since: int

    @classmethod
    def of(cls, asked: ask.Fetch, uid: bool, read_only: bool, condstore: bool) -> Plan:
        items = list(asked.items)
        if uid and "UID" not in items:  # RFC 3501 6.4.8
            items.insert(0, "UID")
        if asked.changed_since is not None and "MODSEQ" not in items:
            items.append("MODSEQ")
        parts = [item for item in items if isinstance(item, BodyPart)]
        seen = not read_only and any(not part.peek for part in parts)
        changes = ("UID", "FLAGS", "MODSEQ") if condstore else ("FLAGS",)  # RFC 7162 3.1: changes come with MODSEQ
        after = [*items, *(item for item in changes if item not in items)]
        ready = tuple(item for item in items if kept(item))
        rest = tuple(part for part in parts if part not in ready)
        return cls(Form(items), Form(after), ready, rest, seen, asked.changed_since or 0)


def fetch(session: Session, command: Command) -> Steps[bytes]:
    asked, selected = command.arguments, session.selected
    assert isinstance(asked, ask.Fetch) and selected is not None
    if beyond(selected, asked.messages, command.uid):
        return NO_SUCH_MESSAGE
    if asked.changed_since is not None or "MODSEQ" in asked.items:
        yield from use_condstore(session)
    if asked.vanished:
        if not command.uid or b"QRESYNC" not in session.enabled:
            return bad("VANISHED is for UID FETCH, after ENABLE QRESYNC")  # RFC 7162 3.2.6
        yield from tell_vanished(selected, asked.changed_since or 0, asked.messages)
    plan = Plan.of(asked, command.uid, selected.read_only, b"CONDSTORE" in session.enabled)
    spans = selected.find(asked.messages, command.uid)
    columns = yield from columns_now(session, selected)
    yield from tell_keywords(selected, columns.words.values())
    missing = False
    for places in _pieces(spans):
        rows, there = rows_of(selected, columns, places)
        missing = missing or len(there) < len(places)
        if plan.changed_since:
            rows, there = _changed(rows, there, plan.changed_since)
        yield from _show_piece(session, selected, plan, rows, there)
    if missing and not command.uid:
        return no("Some of the messages no longer exist", "EXPUNGEISSUED")  # RFC 5530 3
    return ok("Done")


def _pieces(spans: Sequence[tuple[int, int]]) -> Iterator[list[int] | range]:
    """Cut spans into bounded pieces; many short ones are put together."""
    if len(spans) > 1 and sum(stop - start for start, stop in spans) <= FETCH_BATCH_MESSAGES * len(spans):
        places = list(positions(spans))
        yield from (places[at : at + FETCH_BATCH_MESSAGES] for at in range(0, len(places), FETCH_BATCH_MESSAGES))
        return
    for start, stop in spans:
        for at in range(start, stop, FETCH_BATCH_MESSAGES):
            yield range(at, min(stop, at + FETCH_BATCH_MESSAGES))


def _changed(rows: Columns, places: Sequence[int], since: int) -> tuple[Columns, list[int]]:
    wanted = [at for at, modseq in enumerate(rows.modseqs) if modseq > since]
    return rows.pick(wanted), [places[at] for at in wanted]


def _show_piece(session: Session, selected: Selected, plan: Plan, rows: Columns, places: Sequence[int]) -> Steps[None]:
    """Show rows; where their contents are wanted, as many at a time as may be held."""
    start = 0
    while start < len(rows.uids):
        stop = _as_far_as_fits(rows, start) if plan.parts else len(rows.uids)
        part = rows.slice(start, stop)
        changed: list[Entry] = []
        if plan.sets_seen:
            part, changed = yield from _mark_seen(session, selected, part)
        numbers = [place + 1 for place in places[start:stop]]
        fresh = frozenset(entry.uid for entry in changed)
        yield from _show(plan, Batch(numbers, with_recent(part, selected.recent_spans(part.uids))), fresh)
        selected.own.update((entry.uid, entry.modseq) for entry in changed)  # where it fails, `refresh` tells of it
        start = stop


def _as_far_as_fits(rows: Columns, start: int) -> int:
    octets = 0
    for at in range(start, len(rows.sizes)):
        octets += rows.sizes[at]
        if octets >= FETCH_BATCH_OCTETS:
            return at + 1
    return len(rows.sizes)


def _mark_seen(session: Session, selected: Selected, rows: Columns) -> Steps[tuple[Columns, list[Entry]]]:
    """Fetching a body sets \\Seen (RFC 3501 6.4.5), and the response says so. Where nothing can be stored now, mail can
    be read all the same."""
    unseen = [uid for uid, bits in zip(rows.uids, rows.flags, strict=True) if not bits & SEEN]
    if not unseen:
        return rows, []
    try:
        changed = yield from write(lambda tx: entries.store_flags(tx, selected.folder, unseen, "+", SEEN, frozenset()))
    except StoreFull:
        return rows, []
    return rows.updated(changed), changed


def _show(plan: Plan, batch: Batch, fresh: frozenset[int]) -> Steps[None]:
    """Show a batch: looked up, cut and written in one visit to a reader's thread, two where something is to be made."""
    octets = sum(batch.rows.sizes) * len(plan.parts)  # each may decode the message anew
    long = bool(plan.kept or plan.parts) and (len(batch.numbers) > INLINE_MESSAGES_MAX or octets > INLINE_OCTETS_MAX)
    text = yield from read(partial(_render, plan, batch, fresh, None), long)
    if text is None:
        made = yield from make_kept(plan.kept, batch.rows.bodies)
        text = yield from read(partial(_render, plan, batch, fresh, made), long)
        assert text is not None
    yield text


def _render(plan: Plan, batch: Batch, fresh: frozenset[int], made: Made | None, reader: Reader) -> bytes | None:
    """Write the responses; None where what is kept must be made first: `made` is that."""
    known = find_kept(plan.kept, batch.rows.bodies, made or {}, reader)
    if made is None and any(None in values for values in known.values()):
        return None
    if plan.parts:
        known |= load_contents(plan.parts, batch.rows.bodies, reader)
    batch = Batch(batch.numbers, batch.rows, known).complete()
    if not fresh:
        return plan.form.render(batch)
    runs = groupby(range(len(batch.rows.uids)), lambda at: batch.rows.uids[at] in fresh)
    return b"".join((plan.after if marked else plan.form).render(batch.pick(list(places))) for marked, places in runs)
