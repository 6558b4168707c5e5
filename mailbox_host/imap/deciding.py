"""Search keys that the words of headers decide, for all messages at once (RFC 3501 6.4.4).

Law: what is looked through at a time is bounded; words that are not kept yet are made in a reader's thread, and looked
through there, whether or not they can be kept.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from mailbox_host.imap.commands import Key
from mailbox_host.imap.effects import Steps, read, write
from mailbox_host.imap.header_words import field_of, find_words, keep_words, made_words, says
from mailbox_host.imap.masks import View
from mailbox_host.imap.responses import ok, untagged
from mailbox_host.imap.settings import SEARCH_BATCH_MESSAGES
from store import Reader, StoreFull, Transaction

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
    found, missing = yield from read(partial(_find, bodies, *asked), long=True)
    if missing:
        made = yield from _make(list(dict.fromkeys(missing)), *asked)
        found += [at for at, body in enumerate(bodies) if body in made]
    return [places[at] for at in found]


def _make(bodies: list[int], line: int, wanted: bytes) -> Steps[set[int]]:
    """Make words and keep them; return the bodies whose words match. One that was expunged since has none."""
    matching: set[int] = set()
    for start in range(0, len(bodies), SEARCH_BATCH_MESSAGES):
        if start:  # also finds out whether the client is still there
            yield untagged(ok(f"Read {start} headers of {len(bodies)}", "INPROGRESS"))
        made = yield from read(partial(_made, bodies[start : start + SEARCH_BATCH_MESSAGES]), long=True)
        with suppress(StoreFull):
            yield from write(partial(_keep, made), rings=False)
        matching.update(body for body, words in made.items() if says(words, line, wanted))
    return matching


def _find(bodies: list[int], line: int, wanted: bytes, reader: Reader) -> tuple[list[int], list[int]]:
    return find_words(reader, bodies, line, wanted)


def _made(bodies: list[int], reader: Reader) -> dict[int, bytes]:
    return made_words(reader, bodies)


def _keep(made: dict[int, bytes], tx: Transaction) -> None:
    keep_words(tx, made)
