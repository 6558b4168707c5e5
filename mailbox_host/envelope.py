"""ENVELOPE (RFC 3501 7.4.2).

Law: made from the header's fields alone; values are shown as they stand, unfolded.
"""

from __future__ import annotations

from mailbox_host.address_list import address_list
from mailbox_host.part import Part
from mailbox_host.wire import NIL, listed, nstring


def envelope(part: Part) -> bytes:
    """Write the envelope of a message."""
    fields = part.fields
    sender = _list(part, b"from")
    return listed(
        (
            nstring(fields.get(b"date")),
            nstring(fields.get(b"subject")),
            sender,
            _list(part, b"sender", sender),  # RFC 3501 7.4.2: absent or empty, they are From
            _list(part, b"reply-to", sender),
            _list(part, b"to"),
            _list(part, b"cc"),
            _list(part, b"bcc"),
            nstring(fields.get(b"in-reply-to")),
            nstring(fields.get(b"message-id")),
        )
    )


def _list(part: Part, name: bytes, default: bytes = NIL) -> bytes:
    value = part.fields.get(name)
    shown = address_list(value) if value else NIL
    return default if shown == NIL else shown
