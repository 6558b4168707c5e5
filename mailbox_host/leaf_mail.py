"""What a leaf writes to its source's root, and to other leaves.

Law: believed for the signature of this host, which the queue puts on it.
"""

from __future__ import annotations

from email.utils import formatdate
from hashlib import blake2b

from directory.names import FabricNames
from mail.control import add_controls, control_field
from mail.envelope import Outgoing, Recipient
from mail.headers import header_line
from mail.tree_control import TreeControl


def write(names: FabricNames, control: TreeControl, now: float, body: str, to: str = "") -> tuple[Outgoing, ...]:
    """Write to the source's root, or to another leaf."""
    to, source = to or names.reflector_inside(control.source, "control"), control.source
    seed = f"{control_field(control)} {body}".encode()
    fields = [
        ("From", names.reflector(source, "help")),
        ("To", to),
        ("Subject", f"{type(control).__name__.lower()} {source}"),
        ("Date", formatdate(now)),
        ("Message-ID", f"<{blake2b(seed, digest_size=16).hexdigest()}.leaf@{names.domain}>"),
        ("Auto-Submitted", "auto-generated"),  # RFC 3834 5
    ]
    content = b"".join(header_line(*field) for field in fields) + b"\r\n" + body.encode()
    sender = names.reflector_inside(source, "bounce")
    return (Outgoing(sender, (Recipient(to),), add_controls(content, control), signed=True),)
