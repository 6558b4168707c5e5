"""SEARCH and UID SEARCH (RFC 3501 6.4.4; ESEARCH RFC 4731).

Law: rows, headers and texts are read away from the event loop, in batches; others are served between two of them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import compress

from mailbox_host.columns import Columns
from mailbox_host.imap import commands as ask
from mailbox_host.imap.commands import And, Command, Key, Not, Or, SearchKey
from mailbox_host.imap.deciding import decide
from mailbox_host.imap.effects import Steps, read
from mailbox_host.imap.header_words import field_keys
from mailbox_host.imap.masks import View, mask_of
from mailbox_host.imap.matching import HEADER, ROW, TEXT, Candidate, Test, compile_key, cost
from mailbox_host.imap.quick import quick
from mailbox_host.imap.reading import aligned, columns_now, use_condstore
from mailbox_host.imap.responses import bad, ok, string, untagged
from mailbox_host.imap.sections import Content
from mailbox_host.imap.selected import Selected
from mailbox_host.imap.sequence import pack
from mailbox_host.imap.session import Session
from mailbox_host.imap.settings import FETCH_BATCH_OCTETS, INLINE_ROWS_MAX, SEARCH_BATCH_MESSAGES
from store import Bodies, Reader

Contents = Mapping[int, tuple[bytes, bytes]]

ALL = frozenset({b"ALL"})
PROGRESS_MESSAGES = 20 * SEARCH_BATCH_MESSAGES


def search(session: Session, command: Command) -> Steps[bytes]:
    asked, selected = command.arguments, session.selected
    assert isinstance(asked, ask.Search) and selected is not None
    if asked.charset and b"UTF8=ACCEPT" in session.enabled:
        return bad("Searches are in UTF-8 now", "CLIENTBUG")  # RFC 6855 3
    by_modseq = "MODSEQ" in names_in(asked.key)
    if by_modseq:
        yield from use_condstore(session)
    try:
        view, found = yield from find(session, selected, asked.key)
    except Exception:
        if b"SAVE" in (asked.returns or ()):
            selected.forget_saved()
        raise
    numbers = list(map(view.rows.uids.__getitem__, found)) if command.uid else [view.places[at] + 1 for at in found]
    told = _told(found, asked.returns) if by_modseq else []
    modseq = max((view.rows.modseqs[at] for at in told), default=0)
    if asked.returns and b"SAVE" in asked.returns:
        selected.saved = array("I", [view.rows.uids[at] for at in _told(found, asked.returns - {b"SAVE"})])
    if asked.returns == frozenset({b"SAVE"}):  # RFC 5182 2.1: nothing else was asked for
        return ok("Saved")
    if asked.returns is None and not session.rev2:  # RFC 9051 6.4.4: there it is always ESEARCH
        pieces = [b"SEARCH", *map(b"%d".__mod__, numbers)]
        yield untagged(b" ".join([*pieces, b"(MODSEQ %d)" % modseq] if modseq else pieces))
    else:
        yield untagged(_extended(command, asked.returns or ALL, numbers, modseq))
    return ok("Done")


def _told(found: list[int], returns: frozenset[bytes] | None) -> list[int]:
    """Of which messages the answer's MODSEQ speaks, and what is saved: where only MIN or MAX is asked for, of those
    (RFC 7162 3.1.10, RFC 5182 2.4)."""
    if not returns or returns - {b"MIN", b"MAX", b"SAVE"} or not found:
        return found
    return [found[place] for name, place in ((b"MIN", 0), (b"MAX", -1)) if name in returns]


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


def find(session: Session, selected: Selected, key: SearchKey) -> Steps[tuple[View, list[int]]]:
    """Return the rows looked at, and the places in them of what matches, in order."""
    columns = yield from columns_now(session, selected)
    rows, places = yield from aligned(selected, columns)
    view = View(selected, rows, places, session.clock())
    keys = key.keys if isinstance(key, And) else (key,)
    of_rows = [inner for inner in keys if cost(inner) == ROW]
    fields = field_keys(key)
    if fields:  # looked up for those messages that the rows leave
        decided = [inner for inner in of_rows if not field_keys(inner)]
        yield from decide(view, fields, (yield from _places(view, decided)))
    found = yield from _places(view, of_rows)
    rest = And(tuple(inner for inner in keys if cost(inner) > ROW))
    return view, (yield from _read_on(view, rest, found)) if rest.keys else found


def _places(view: View, keys: list[SearchKey]) -> Steps[list[int]]:
    """A thousand keys over a large mailbox take seconds: others have their turns meanwhile."""
    key = And(tuple(keys))
    return (yield from read(partial(_compressed, view, key), long=leaves(key) * len(view) > INLINE_ROWS_MAX))


def _compressed(view: View, key: And, reader: Reader) -> list[int]:
    return list(compress(range(len(view)), mask_of(key, view)))


def leaves(key: SearchKey) -> int:
    """Count the keys in a search that are not made of others."""
    match key:
        case Not(inner):
            return leaves(inner)
        case Or(left, right):
            return leaves(left) + leaves(right)
        case And(keys):
            return sum(map(leaves, keys))
    return 1


def _read_on(view: View, key: And, places: list[int]) -> Steps[list[int]]:
    """Try what needs reading, a batch at a time."""
    test = compile_key(key, view)
    found: list[int] = []
    for start in range(0, len(places), SEARCH_BATCH_MESSAGES):
        if start and start % PROGRESS_MESSAGES == 0:  # also finds out whether the client is still there
            yield untagged(ok(f"Searched {start} of {len(places)}", "INPROGRESS"))
        batch = places[start : start + SEARCH_BATCH_MESSAGES]
        found += yield from read(partial(_read_and_match, view, key, test, batch), long=True)
    return found


def _read_and_match(view: View, key: And, test: Test, places: list[int], reader: Reader) -> list[int]:
    """Read as much at a time as may be held."""
    found: list[int] = []
    for some in _by_size(places, view.rows, cost(key)):
        contents = _contents([view.rows.bodies[at] for at in some], cost(key), reader)
        found += _matching(view, key, test, some, contents)
    return found


def _matching(view: View, key: And, test: Test, places: list[int], contents: Contents) -> list[int]:
    may_match = quick(key)
    found: list[int] = []
    for at in places:
        pair = contents.get(view.rows.bodies[at])  # none: expunged since its row was read
        if pair is not None and may_match(*pair) and test(Candidate(at, Content(*pair))):
            found.append(at)
    return found


def _contents(bodies: list[int], wanted: int, reader: Reader) -> Contents:
    if wanted == HEADER:
        return {body: (header, b"") for body, header in Bodies.read_headers(reader, bodies).items()}
    return Bodies.read_many(reader, bodies)


def _by_size(places: list[int], rows: Columns, wanted: int) -> Iterator[list[int]]:
    """Cut a batch so that what is read at a time is bounded."""
    some: list[int] = []
    octets = 0
    for at in places:
        some.append(at)
        octets += rows.sizes[at] if wanted == TEXT else 0
        if octets >= FETCH_BATCH_OCTETS:
            yield some
            some, octets = [], 0
    yield some


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
