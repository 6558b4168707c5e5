"""What a mailbox is called here, told to a client that wrote it in another way (RFC 9051 6.3.9.7).

Law: only who speaks IMAP4rev2 is told; a LIST response that nobody asked for would confuse the others.
"""

from __future__ import annotations

from mailbox_host.imap.effects import Steps
from mailbox_host.imap.responses import mailbox, untagged
from mailbox_host.imap.session import Session


def list_line(session: Session, name: str, asked: str, attribute: str = "") -> bytes:
    """A LIST response; with the name that the client used, if that is another."""
    line = b"LIST (" + attribute.encode("ascii") + b') "/" ' + mailbox(name, session.utf8)
    if asked != name:
        line += b' ("OLDNAME" (' + mailbox(asked, session.utf8) + b"))"
    return untagged(line)


def tell_name(session: Session, name: str, asked: str, attribute: str = "") -> Steps[None]:
    """Tell how a name was understood, where that is not how it was written."""
    if session.rev2 and asked != name:
        yield list_line(session, name, asked, attribute)
