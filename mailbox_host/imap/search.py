"""SEARCH and UID SEARCH (RFC 3501 6.4.4; ESEARCH RFC 4731).

Law: rows, headers and texts are read away from the event loop, in batches; others are served between two of them.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import partial

from mailbox_host import entries
from mailbox_host.entries import Entry
from mailbox_host.imap import commands as ask
from mailbox_host.imap.commands import And, Command, Key, Not, Or, SearchKey
from mailbox_host.imap.effects import Steps, read
from mailbox_host.imap.matching import ROW, Candidate, Test, compile_key, cost
from mailbox_host.imap.responses import ok, string, untagged
from mailbox_host.imap.sections import StoredContent
from mailbox_host.imap.selected import Selected
from mailbox_host.imap.sequence import pack
from mailbox_host.imap.session import Session
from mailbox_host.imap.settings import SEARCH_BATCH_MESSAGES
from store import Reader

PROGRESS_MESSAGES = 20 * SEARCH_BATCH_MESSAGES


def search(session: Session, command: Command) -> Steps[bytes]:
    asked, selected = command.arguments, session.selected
    assert isinstance(asked, ask.Search) and selected is not None
    by_modseq = "MODSEQ" in names_in(asked.key)
    if by_modseq:
        session.enabled.add(b"CONDSTORE")
    found = yield from _found(selected, asked.key, session.clock())
    numbers = [entry.uid if command.uid else place + 1 for place, entry in found]
    modseq = max((entry.modseq for _, entry in found), default=0) if by_modseq else 0
    if asked.returns is None:
        pieces = [b"SEARCH", *(b"%d" % number for number in numbers)]
        yield untagged(b" ".join([*pieces, b"(MODSEQ %d)" % modseq] if modseq else pieces))
    else:
        yield untagged(_extended(command, asked.returns, numbers, modseq))
    return ok("Done")


def names_in(key: SearchKey) -> set[str]:
    """The names of all keys in a search."""
    match key:
        case Not(inner):
            return names_in(inner)
        case Or(left, right):
            return names_in(left) | names_in(right)
        case And(keys):
            return set().union(*(names_in(inner) for inner in keys))
        case Key(name):
            return {name}


def _found(selected: Selected, key: SearchKey, now: float) -> Steps[list[tuple[int, Entry]]]:
    """Return places and rows of what matches, in order."""
    test = compile_key(key, selected, now)
    rows = yield from read(lambda reader: _rows(reader, selected.folder, selected.uids), long=True)
    if cost(key) == ROW:
        return (yield from read(partial(_matching, rows, test), long=True))
    found: list[tuple[int, Entry]] = []
    for start in range(0, len(rows), SEARCH_BATCH_MESSAGES):
        batch = rows[start : start + SEARCH_BATCH_MESSAGES]
        if start and start % PROGRESS_MESSAGES == 0:  # also finds out whether the client is still there
            yield untagged(ok(f"Searched {start} of {len(rows)}", "INPROGRESS"))
        found += yield from read(partial(_matching, batch, test), long=True)
    return found


def _rows(reader: Reader, folder: int, uids: array[int]) -> list[tuple[int, Entry]]:
    """The rows of the messages that the client knows of, with their places."""
    by_uid = {entry.uid: entry for entry in entries.entries(reader, folder)}
    return [(place, by_uid[uid]) for place, uid in enumerate(uids) if uid in by_uid]


def _matching(rows: Sequence[tuple[int, Entry]], test: Test, reader: Reader) -> list[tuple[int, Entry]]:
    return [(place, entry) for place, entry in rows if _matches(reader, place, entry, test)]


def _matches(reader: Reader, place: int, entry: Entry, test: Test) -> bool:
    try:
        return test(Candidate(place, entry, StoredContent(reader, entry.body)))
    except KeyError:  # expunged since its row was read
        return False


def _extended(command: Command, returns: frozenset[bytes], numbers: list[int], modseq: int) -> bytes:
    """An ESEARCH response (RFC 4731 3.1): no MIN, MAX or ALL where nothing was found."""
    pieces = [b"ESEARCH (TAG " + string(command.tag) + b")"]
    if command.uid:
        pieces.append(b"UID")
    if b"MIN" in returns and numbers:
        pieces.append(b"MIN %d" % numbers[0])
    if b"MAX" in returns and numbers:
        pieces.append(b"MAX %d" % numbers[-1])
    if b"COUNT" in returns:
        pieces.append(b"COUNT %d" % len(numbers))
    if b"ALL" in returns and numbers:
        pieces.append(b"ALL " + pack(numbers))
    if modseq:
        pieces.append(b"MODSEQ %d" % modseq)
    return b" ".join(pieces)
