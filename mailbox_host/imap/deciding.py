"""Search keys that the words of headers decide, for all messages at once (RFC 3501 6.4.4).

Law: what is looked through at a time is bounded; words that are not kept yet are made in a reader's thread.
"""

from __future__ import annotations

from functools import partial

from mailbox_host.imap.commands import Key
from mailbox_host.imap.effects import Steps, read, write
from mailbox_host.imap.header_words import field_of, find_words, keep_words, made_words
from mailbox_host.imap.masks import View
from mailbox_host.imap.responses import ok, untagged
from mailbox_host.imap.settings import SEARCH_BATCH_MESSAGES
from store import Reader, Transaction

WORDS_BATCH_MESSAGES = 5_000  # looked through in one query: some 3 milliseconds of a reader's thread


def decide(view: View, keys: list[Key], places: list[int]) -> Steps[None]:
    """Have the view know which of the messages at these places each key matches."""
    for key in keys:
        mask = bytearray(len(view))
        for start in range(0, len(places), WORDS_BATCH_MESSAGES):
            for at in (yield from _matching(view, key, places[start : start + WORDS_BATCH_MESSAGES])):
                mask[at] = 1
        view.decided[key] = bytes(mask)


def _matching(view: View, key: Key, places: list[int]) -> Steps[list[int]]:
    asked = field_of(key)
    assert asked is not None
    bodies = [view.rows.bodies[at] for at in places]
    look = partial(_find, bodies, *asked)
    found, missing = yield from read(look, long=True)
    if missing:
        yield from _make(list(dict.fromkeys(missing)))
        found, _ = yield from read(look, long=True)  # still missing: expunged since its row was read
    return [places[at] for at in found]


def _make(bodies: list[int]) -> Steps[None]:
    for start in range(0, len(bodies), SEARCH_BATCH_MESSAGES):
        if start:  # also finds out whether the client is still there
            yield untagged(ok(f"Read {start} headers of {len(bodies)}", "INPROGRESS"))
        made = yield from read(partial(_made, bodies[start : start + SEARCH_BATCH_MESSAGES]), long=True)
        yield from write(partial(_keep, made), rings=False)


def _find(bodies: list[int], line: int, wanted: bytes, reader: Reader) -> tuple[list[int], list[int]]:
    return find_words(reader, bodies, line, wanted)


def _made(bodies: list[int], reader: Reader) -> dict[int, bytes]:
    return made_words(reader, bodies)


def _keep(made: dict[int, bytes], tx: Transaction) -> None:
    keep_words(tx, made)
