"""The commands of every state: CAPABILITY, NOOP, ID, ENABLE, IDLE, LOGOUT.

Law: only what really works is advertised, and only where it may be used.
"""

from __future__ import annotations

from mailbox_host.imap import quota
from mailbox_host.imap.commands import Command, Enable, Identify
from mailbox_host.imap.effects import Close, StartCompression, Steps, WaitForNews, read
from mailbox_host.imap.reading import use_condstore
from mailbox_host.imap.responses import bad, no, ok, string, untagged
from mailbox_host.imap.session import Session
from mailbox_host.imap.telling import refresh
from mailbox_host.sent import keeps_sent

KEEPS_SENT = b'"keeps-sent" "yes"'  # ID's answer to an account of which the host keeps what it submits
# LITERAL+ holds all that LITERAL- promises, and a server names one of the two (RFC 7888 5).
_ALWAYS = b"IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE"
_SIGNED_IN = (
    b"IDLE NAMESPACE UNSELECT UIDPLUS MOVE CHILDREN SPECIAL-USE CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS "
    b"STATUS=SIZE ESEARCH SEARCHRES CONDSTORE QRESYNC WITHIN MULTIAPPEND OBJECTID SORT UTF8=ACCEPT "
    b"BINARY PREVIEW THREAD=ORDEREDSUBJECT THREAD=REFERENCES COMPRESS=DEFLATE"
)
ENABLED = (b"CONDSTORE", b"QRESYNC", b"IMAP4rev2", b"UTF8=ACCEPT")  # what ENABLE can turn on (RFC 5161)


def capabilities(session: Session) -> bytes:
    """List what works in this state."""
    words = [_ALWAYS]
    if session.account:
        words.append(_SIGNED_IN)
        words.append(quota.CAPABILITY)
        words.append(b"APPENDLIMIT=%d" % session.settings.message_octets_max)
        return b" ".join(words)
    if session.tls_offered:
        words.append(b"STARTTLS")
    words.append(b"AUTH=PLAIN" if session.secure else b"LOGINDISABLED")  # RFC 3501 6.2.3
    return b" ".join(words)


def capability(session: Session, command: Command) -> Steps[bytes]:
    yield untagged(b"CAPABILITY " + capabilities(session))
    return ok("Done")


def noop(session: Session, command: Command) -> Steps[bytes]:
    """NOOP and CHECK: the news come with every answer."""
    yield b""
    return ok("Done")


def logout(session: Session, command: Command) -> Steps[bytes]:
    session.ended = True
    yield untagged(b"BYE Goodbye")
    yield command.tag + b" " + ok("Done") + b"\r\n"
    yield Close()
    return b""


def identify(session: Session, command: Command) -> Steps[bytes]:
    """ID (RFC 2971)."""
    assert isinstance(command.arguments, Identify)
    session.client = {name.lower(): value for name, value in command.arguments.fields if value is not None}
    version = string(session.settings.version.encode("ascii", "replace"))
    account = session.account
    keeps = yield from read(lambda reader: keeps_sent(reader, account))
    yield untagged(b'ID ("name" "Heliograph" "version" ' + version + (b" " + KEEPS_SENT if keeps else b"") + b")")
    return ok("Done")


def enable(session: Session, command: Command) -> Steps[bytes]:
    assert isinstance(command.arguments, Enable)
    wanted = set(command.arguments.capabilities) - session.enabled
    fresh = [word for word in ENABLED if word.upper() in wanted]
    yield untagged(b" ".join([b"ENABLED", *fresh]))
    if not wanted.isdisjoint((b"CONDSTORE", b"QRESYNC")):  # RFC 7162 3.2.3: QRESYNC brings CONDSTORE with it
        yield from use_condstore(session)
    session.enabled.update(word.upper() for word in fresh)
    if session.rev2 and session.selected:
        session.selected.recent.clear()  # nothing is \\Recent there (RFC 9051 E 12)
    return ok("Done")


def compress(session: Session, command: Command) -> Steps[bytes]:
    """COMPRESS (RFC 4978)."""
    assert isinstance(command.arguments, Enable)
    if command.arguments.capabilities != (b"DEFLATE",):
        return bad("DEFLATE is what is offered")
    if session.compressed:
        return no("That is so already", "COMPRESSIONACTIVE")
    yield command.tag + b" " + ok("Deflate from here on") + b"\r\n"
    yield StartCompression()
    session.compressed = True
    return b""


def idle(session: Session, command: Command) -> Steps[bytes]:
    """IDLE (RFC 2177): announce until the client says DONE."""
    yield b"+ idling\r\n"
    while True:
        line = yield WaitForNews()
        if line is not None:
            return ok("Idle done") if line.upper() == b"DONE" else bad("Expected DONE")
        if session.selected:
            yield from refresh(session, expunges=True)
        if session.ended:
            return b""
