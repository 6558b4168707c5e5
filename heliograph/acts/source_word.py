"""What this host tells a reflector about its source: let it be, let it go.

Law: it goes as control mail, wherever the reflector is.
"""

from __future__ import annotations

from email.utils import formatdate

from heliograph.site import Site
from mail.control import CreateSource, RemoveSource, add_controls
from mail.envelope import Outgoing, Recipient


def source_word(site: Site, name: str, control: CreateSource | RemoveSource, now: float) -> Outgoing:
    """Write it. Each has a Message-ID of its own, since a repeat is dropped there."""
    names = site.directory().names
    to = names.reflector_inside(name, "control")
    lines = (
        f"From: postmaster@{names.domain}",
        f"To: {to}",
        f"Subject: {type(control).__name__} {name}",
        f"Date: {formatdate(now)}",
        f"Message-ID: <{name}.{now:.6f}@{site.host}.{names.domain}>",
        "Auto-Submitted: auto-generated",
    )
    content = add_controls("\r\n".join((*lines, "", "")).encode(), control)
    return Outgoing("", (Recipient(to),), content, signed=True)
