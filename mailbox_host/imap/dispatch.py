"""What a session answers: which command may come when (RFC 3501 3), and who carries it out.

Law: no I/O. `handle` is a generator of effects; whatever the client sent, it ends with a tagged response, or with BYE.
"""

from __future__ import annotations

from collections.abc import Callable

from mailbox_host.accounts import AccountMoved, NoSuchAccount
from mailbox_host.entries import FolderUsedUp, TooManyKeywords
from mailbox_host.folders import BadFolderName, FolderError, FolderExists, NoSuchFolder, TooManyFolders
from mailbox_host.imap import (
    change,
    copying,
    fetch,
    filing,
    greeting,
    lists,
    mailboxes,
    opening,
    quota,
    search,
    sign_in,
    sort,
    thread,
)
from mailbox_host.imap.commands import Command
from mailbox_host.imap.effects import Close, Steps
from mailbox_host.imap.framing import Frame, TooLarge
from mailbox_host.imap.loading import TooMuchAtOnce
from mailbox_host.imap.parser import BadCommand, parse
from mailbox_host.imap.responses import bad, no, untagged
from mailbox_host.imap.sections import UnknownEncoding
from mailbox_host.imap.session import Session, State
from mailbox_host.imap.settings import BAD_COMMANDS_MAX
from mailbox_host.imap.stand_in import CHANGING, refused
from mailbox_host.imap.telling import refresh
from mailbox_host.quota import OverQuota
from store import StoreFull

FULL = no("Nothing can be stored here now, try again later", "UNAVAILABLE")
MOVED = b"BYE [UNAVAILABLE] The mailbox is moving to another host, come back in a moment"


def greet(session: Session) -> bytes:
    code = b"[CAPABILITY " + greeting.capabilities(session) + b"] "
    return untagged(b"OK " + code + session.settings.host.encode("ascii", "replace") + b" Heliograph IMAP ready")


def handle(session: Session, frame: Frame) -> Steps[None]:
    """Answer one command."""
    try:
        command = parse(frame, session.utf8)
    except BadCommand as error:
        if error.loses_saved and session.selected:
            session.selected.forget_saved()
        status = (no if error.status == b"NO" else bad)(str(error), error.code.decode("ascii"))
        yield from _wrong(session, error.tag, status)
        return
    session.tag = command.tag
    status = yield from _answer(session, command)
    if status:
        yield command.tag + b" " + status + b"\r\n"


def refuse(session: Session, event: TooLarge) -> Steps[None]:
    """Answer what passed a limit."""
    if event.fatal:
        session.ended = True
        yield untagged(b"BYE " + event.text.split(b" ", 1)[1])
        yield Close()
    else:
        yield from _wrong(session, event.tag, event.text)


def _wrong(session: Session, tag: bytes, status: bytes) -> Steps[None]:
    yield tag + b" " + status + b"\r\n"
    session.bad_commands += 1
    if session.bad_commands >= BAD_COMMANDS_MAX:
        session.ended = True
        yield untagged(b"BYE Too many bad commands")
        yield Close()


def _answer(session: Session, command: Command) -> Steps[bytes]:
    states, handler = COMMANDS[command.name]
    if session.state not in states:
        return bad(f"Not while {session.state.value}")
    session.bad_commands = 0
    if session.away and command.name in CHANGING:
        return refused(session.away)
    try:
        status = yield from handler(session, command)
    except FolderError as error:
        status = no(str(error), _code_of(error))
    except NoSuchAccount as gone:
        yield from _turn_out(session, gone)
        return b""
    except StoreFull:
        status = refused(session.away) if session.away else FULL
    if session.selected and not session.ended and command.name not in TOLD:
        status = yield from _with_news(session, command, status)
    return status


def _with_news(session: Session, command: Command, status: bytes) -> Steps[bytes]:
    """Tell the news, then the answer. What was done is done, whatever becomes of the news: who does not hear so does it
    again."""
    try:
        yield from refresh(session, expunges=command.uid or command.name not in NO_EXPUNGES)
    except NoSuchAccount as gone:
        yield command.tag + b" " + status + b"\r\n"
        yield from _turn_out(session, gone)
    except FolderError:  # nothing can be filed: who asks for that alone hears why
        pass
    return b"" if session.ended else status  # the mailbox was deleted: BYE was the answer


def _turn_out(session: Session, gone: NoSuchAccount) -> Steps[None]:
    session.ended = True
    yield untagged(MOVED if isinstance(gone, AccountMoved) else b"BYE The account was removed")
    yield Close()


def _code_of(error: FolderError) -> str:
    """RFC 5530 3."""
    match error:
        case FolderExists():
            return "ALREADYEXISTS"
        case NoSuchFolder():
            return "NONEXISTENT"
        case BadFolderName():
            return "CANNOT"
        case TooManyFolders() | TooManyKeywords() | FolderUsedUp() | TooMuchAtOnce():
            return "LIMIT"
        case UnknownEncoding():
            return "UNKNOWN-CTE"
        case OverQuota():
            return "OVERQUOTA"
    return ""


# RFC 3501 7.4.1, RFC 5256 4: while numbers are spoken of, they stay.
NO_EXPUNGES = frozenset({"FETCH", "STORE", "SEARCH", "SORT", "THREAD"})

# SELECT has just told all; after COMPRESS comes nothing that a client could read on into before it unpacks.
TOLD = frozenset({"SELECT", "EXAMINE", "COMPRESS"})

Handler = Callable[[Session, Command], Steps[bytes]]

_ANY = frozenset({State.NOT_AUTHENTICATED, State.AUTHENTICATED, State.SELECTED})
_BEFORE = frozenset({State.NOT_AUTHENTICATED})
_AFTER = frozenset({State.AUTHENTICATED, State.SELECTED})
_SELECTED = frozenset({State.SELECTED})

COMMANDS: dict[str, tuple[frozenset[State], Handler]] = {
    "CAPABILITY": (_ANY, greeting.capability),
    "NOOP": (_ANY, greeting.noop),
    "LOGOUT": (_ANY, greeting.logout),
    "ID": (_ANY, greeting.identify),
    "STARTTLS": (_BEFORE, sign_in.start_tls),
    "LOGIN": (_BEFORE, sign_in.login),
    "AUTHENTICATE": (_BEFORE, sign_in.authenticate),
    "ENABLE": (_AFTER, greeting.enable),
    "COMPRESS": (_AFTER, greeting.compress),
    "NAMESPACE": (_AFTER, lists.namespace),
    "IDLE": (_AFTER, greeting.idle),
    "LIST": (_AFTER, lists.list_mailboxes),
    "LSUB": (_AFTER, lists.list_subscribed),
    "CREATE": (_AFTER, mailboxes.create),
    "DELETE": (_AFTER, mailboxes.delete),
    "RENAME": (_AFTER, mailboxes.rename),
    "SUBSCRIBE": (_AFTER, mailboxes.subscribe),
    "UNSUBSCRIBE": (_AFTER, mailboxes.subscribe),
    "STATUS": (_AFTER, mailboxes.status),
    "APPEND": (_AFTER, filing.append_message),
    "GETQUOTA": (_AFTER, quota.get_quota),
    "GETQUOTAROOT": (_AFTER, quota.get_quota_root),
    "SETQUOTA": (_AFTER, quota.set_quota),
    "SELECT": (_AFTER, opening.select),
    "EXAMINE": (_AFTER, opening.select),
    "CHECK": (_SELECTED, greeting.noop),
    "CLOSE": (_SELECTED, opening.close),
    "UNSELECT": (_SELECTED, opening.unselect),
    "EXPUNGE": (_SELECTED, change.expunge_messages),
    "SEARCH": (_SELECTED, search.search),
    "SORT": (_SELECTED, sort.sort),
    "THREAD": (_SELECTED, thread.thread),
    "FETCH": (_SELECTED, fetch.fetch),
    "STORE": (_SELECTED, change.store),
    "COPY": (_SELECTED, copying.copy_or_move),
    "MOVE": (_SELECTED, copying.copy_or_move),
}
