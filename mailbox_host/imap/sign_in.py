"""STARTTLS, LOGIN and AUTHENTICATE PLAIN (RFC 3501 6.2, RFC 4616).

Law: no password is taken where others could listen in, and none is ever logged or echoed.
"""

from __future__ import annotations

import base64
import binascii

from mailbox_host.imap.commands import Authenticate, Command, Login
from mailbox_host.imap.effects import AskLine, HandedOver, NotSignedIn, SignedIn, SignIn, StartTls, Steps
from mailbox_host.imap.greeting import capabilities
from mailbox_host.imap.responses import bad, no, ok, untagged
from mailbox_host.imap.session import Session
from mailbox_host.imap.settings import SIGN_INS_FAILED_MAX
from mailbox_host.imap.stand_in import signed_in

WRONG_PASSWORD = no("Wrong name or password", "AUTHENTICATIONFAILED")
_PRIVACY = no("Use TLS first", "PRIVACYREQUIRED")  # RFC 5530 3


def start_tls(session: Session, command: Command) -> Steps[bytes]:
    if not session.tls_offered:
        return bad("TLS is not offered here")
    yield command.tag + b" " + ok("Begin TLS now") + b"\r\n"
    yield StartTls()
    session.secure, session.tls_offered = True, False
    session.client.clear()  # RFC 3501 6.2.1: forget what was said in the clear
    return b""


def login(session: Session, command: Command) -> Steps[bytes]:
    assert isinstance(command.arguments, Login)
    if not session.secure:
        return _PRIVACY
    return (yield from _sign_in(session, command.arguments.user, command.arguments.password))


def authenticate(session: Session, command: Command) -> Steps[bytes]:
    assert isinstance(command.arguments, Authenticate)
    if command.arguments.mechanism != b"PLAIN":
        return no("No such mechanism")
    if not session.secure:
        return _PRIVACY
    answer = command.arguments.initial
    if answer is None:
        answer = yield AskLine(b"")
    elif answer == b"=":  # RFC 4959 3: an empty initial response
        answer = b""
    assert answer is not None
    if answer == b"*":
        return bad("Cancelled")
    return (yield from _plain(session, answer))


def _plain(session: Session, answer: bytes) -> Steps[bytes]:
    try:
        parts = base64.b64decode(answer, validate=True).split(b"\0")
    except binascii.Error:
        return bad("Not base64")
    if len(parts) != 3:
        return bad("Not a PLAIN response")
    acting_as, user, password = parts
    domain = session.settings.domain
    if acting_as and account_name(acting_as, domain) != account_name(user, domain):
        return no("Nobody may act for another", "AUTHORIZATIONFAILED")
    return (yield from _sign_in(session, user, password))


def _sign_in(session: Session, user: bytes, password: bytes) -> Steps[bytes]:
    account = account_name(user, session.settings.domain)  # "" takes as long as any other wrong name
    outcome = yield SignIn(account, password, session.tag)
    match outcome:
        case SignedIn(name, shown_from):
            session.account = name
            if shown_from:
                session.away, session.shelf = shown_from.owner, shown_from.shelf
            text = signed_in(session.away) if session.away else "Signed in"
            return ok(text, f"CAPABILITY {capabilities(session).decode('ascii')}")
        case NotSignedIn(status):
            session.sign_ins_failed += 1
            if session.sign_ins_failed >= SIGN_INS_FAILED_MAX:
                session.ended = True
                yield untagged(b"BYE Too many failed sign-ins")
            return bytes(status)
        case HandedOver(status):
            session.ended = True
            return bytes(status)
    raise AssertionError("no such outcome")


def account_name(user: bytes, domain: str) -> str:
    """``alice``, ``Alice@D`` -> ``alice``; "" for what can be no account."""
    name, at, where = user.decode("ascii", "replace").lower().partition("@")
    return "" if at and where != domain.lower() else name
