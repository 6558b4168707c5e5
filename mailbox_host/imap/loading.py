"""What a FETCH needs beside the rows: facts, cut headers, contents, by body and for a whole batch at a time.

Law: what is made from a message alone and kept with it is made in a reader's thread; the writer only keeps it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from mailbox_host import header_cuts
from mailbox_host.facts import keep_facts, made_facts
from mailbox_host.imap.commands import BodyPart, FetchItem
from mailbox_host.imap.effects import Steps, read, write
from mailbox_host.imap.fetch_response import is_whole, shown_part
from mailbox_host.imap.sections import Content, cut_kind
from mailbox_host.imap.settings import INLINE_MESSAGES_MAX
from store import Bodies, Reader, Transaction

Known = dict[FetchItem, Mapping[int, Any]]

FACTS = {"ENVELOPE": "envelope", "BODY": "body_short", "BODYSTRUCTURE": "body_full"}


def kept(item: FetchItem) -> bool:
    """Tell whether an item shows something that is kept with the body, and may have to be made first."""
    return item in FACTS or (isinstance(item, BodyPart) and cut_kind(item) > 0)


def load_kept(items: Iterable[FetchItem], bodies: Sequence[int]) -> Steps[Known]:
    """Load what is kept; make and keep what is not yet."""
    known: Known = {}
    long = len(bodies) > INLINE_MESSAGES_MAX
    for item in items:
        look, make, keep = _keepers(item)
        found = yield from read(partial(_looked_up, look, bodies), long)
        missing = [body for body in dict.fromkeys(bodies) if body not in found]
        if missing:
            made = yield from read(partial(_looked_up, make, missing), long=True)
            yield from write(partial(_keep, keep, made), rings=False)
            found |= yield from read(partial(_looked_up, look, missing), long=True)
        known[item] = found
    return known


Look = Callable[[Reader, Sequence[int]], dict[int, Any]]
Keep = Callable[[Transaction, Mapping[int, Any]], None]


def _keepers(item: FetchItem) -> tuple[Look, Look, Keep]:
    """How an item is looked up, made, and kept."""
    if not isinstance(item, BodyPart):
        return partial(_facts, FACTS[item]), made_facts, keep_facts
    kind, names = cut_kind(item), frozenset(item.section.fields)
    return (
        lambda reader, bodies: header_cuts.kept_cuts(reader, bodies, kind),
        lambda reader, bodies: header_cuts.made_cuts(reader, bodies, names),
        lambda tx, made: header_cuts.keep_cuts(tx, made, kind),
    )


def _looked_up(look: Look, bodies: Sequence[int], reader: Reader) -> dict[int, Any]:
    return look(reader, bodies)


def _keep(keep: Keep, made: Mapping[int, Any], tx: Transaction) -> None:
    keep(tx, made)


def _facts(column: str, reader: Reader, bodies: Sequence[int]) -> dict[int, bytes]:
    sql = f"SELECT body, {column} FROM body_facts WHERE body IN (SELECT value FROM json_each(?))"
    return dict(reader.all(sql, (json.dumps(list(bodies)),)))


def load_contents(items: Sequence[BodyPart], bodies: Sequence[int], reader: Reader) -> Known:
    """Load what is cut from the messages themselves."""
    if all(item.section.text.startswith("HEADER") and not item.section.path for item in items):
        headers = Bodies.read_headers(reader, bodies)
        contents = {body: Content(header, None) for body, header in headers.items()}
        return {item: _shown(item, contents) for item in items}
    stored = Bodies.read_many(reader, bodies)
    contents = {body: Content(*pair) for body, pair in stored.items()}
    return {item: stored if is_whole(item) else _shown(item, contents) for item in items}


def _shown(item: BodyPart, contents: Mapping[int, Content]) -> dict[int, bytes]:
    return {body: shown_part(content, item) for body, content in contents.items()}
