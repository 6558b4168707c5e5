"""THREAD and UID THREAD (RFC 5256 3).

Law: what is compared is made in a reader's thread, a batch at a time, and so is the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from mailbox_host.imap import commands as ask
from mailbox_host.imap.commands import Command
from mailbox_host.imap.decoding import decode_header
from mailbox_host.imap.effects import Steps, read
from mailbox_host.imap.loading import load_kept
from mailbox_host.imap.masks import View
from mailbox_host.imap.responses import ok, untagged
from mailbox_host.imap.search import find
from mailbox_host.imap.search_text import header_values
from mailbox_host.imap.session import Session
from mailbox_host.imap.settings import SEARCH_BATCH_MESSAGES
from mailbox_host.imap.sort import CUT
from mailbox_host.imap.sorting import FIELD_OCTETS_MAX, VALUES, split_subject
from mailbox_host.imap.threads import Forest, Message, by_references, by_subject
from store import Reader

REFERENCES_MAX = 100  # of one message, the last ones: a chain breaks only where all of them are missing
REFERENCES_OCTETS_MAX = 16 * 1024

_ID = re.compile(rb'<((?:"(?:[^"\\<>]|\\.)*"|[^\s"<>@]+)@[^\s<>@]+)>')
_QUOTES = re.compile(rb'\\(.)|"')

ALGORITHMS: dict[str, Callable[[Sequence[Message]], Forest]] = {
    "ORDEREDSUBJECT": by_subject,
    "REFERENCES": by_references,
}


def thread(session: Session, command: Command) -> Steps[bytes]:
    asked, selected = command.arguments, session.selected
    assert isinstance(asked, ask.Thread) and selected is not None
    view, found = yield from find(session, selected, asked.key)
    messages: list[Message] = []
    for start in range(0, len(found), SEARCH_BATCH_MESSAGES):
        batch = found[start : start + SEARCH_BATCH_MESSAGES]
        headers = yield from load_kept(CUT, [view.rows.bodies[at] for at in batch])
        messages += yield from read(partial(_messages, view, batch, headers), long=True)
    numbers = [view.rows.uids[at] if command.uid else view.places[at] + 1 for at in found]
    text = yield from read(partial(_written, asked.algorithm, messages, numbers), long=True)
    yield untagged(b"THREAD " + text if text else b"THREAD")
    return ok("Done")


def _messages(view: View, places: list[int], headers: dict[int, bytes], reader: Reader) -> list[Message]:
    sent = VALUES["DATE"]
    made = []
    for at in places:
        entry = view.rows.entry(at)
        header = headers.get(entry.body, b"")
        subject, reply = split_subject(decode_header(_field(header, "subject")[:FIELD_OCTETS_MAX].strip()))
        name = next(iter(message_ids(_field(header, "message-id"))), b"")
        made.append(Message(sent(entry, header), subject.upper(), reply, name, references(header)))
    return made


def _written(algorithm: str, messages: list[Message], numbers: list[int], reader: Reader) -> bytes:
    return ALGORITHMS[algorithm](messages).write(numbers.__getitem__)


def references(header: bytes) -> tuple[bytes, ...]:
    """The messages before this one: References, or else the first of In-Reply-To (RFC 5256 3, step 1)."""
    found = message_ids(_field(header, "references")[-REFERENCES_OCTETS_MAX:])
    return found[-REFERENCES_MAX:] or message_ids(_field(header, "in-reply-to")[:REFERENCES_OCTETS_MAX])[:1]


def message_ids(value: bytes) -> tuple[bytes, ...]:
    """The Message-IDs in a field, without quotes that change nothing (RFC 5256 3: compared when normalized)."""
    return tuple(_QUOTES.sub(rb"\1", name) if b'"' in name else name for name in _ID.findall(value))


def _field(header: bytes, name: str) -> bytes:
    return next(header_values(header, name), b"")
