"""From a frame to a Command.

Law: `parse` returns a Command or raises BadCommand with the tag to answer to; no input raises anything else.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mailbox_host.flags import Operation
from mailbox_host.imap import commands as ask
from mailbox_host.imap.framing import Frame
from mailbox_host.imap.parse_append import append_arguments
from mailbox_host.imap.parse_fetch import fetch_arguments
from mailbox_host.imap.parse_lists import list_arguments, lsub_arguments, status_arguments
from mailbox_host.imap.parse_open import open_arguments
from mailbox_host.imap.parse_search import BadCharset, search_arguments, sort_arguments, thread_arguments
from mailbox_host.imap.settings import KEYWORDS_MAX
from mailbox_host.imap.syntax import BadMailbox, BadSyntax, Cursor

_NIL = re.compile(rb"(?i)NIL")
_OPERATIONS: dict[bytes, Operation] = {b"+": "+", b"-": "-", b"": "="}
_STORE_ITEM = re.compile(rb"(?i)([+-]?)FLAGS(\.SILENT)?")
_INITIAL = re.compile(rb"[A-Za-z0-9+/=]+")
_UNCHANGED_SINCE = re.compile(rb"(?i)\(UNCHANGEDSINCE ")
_LIMITS = re.compile(rb"[A-Za-z][A-Za-z-]* [0-9]+( [A-Za-z][A-Za-z-]* [0-9]+)*")
_USE = re.compile(rb"(?i) \(USE \(((?:\\[A-Za-z]+(?: \\[A-Za-z]+)*)?)\)\)")


class BadCommand(ValueError):
    """What arrived is no command. `tag` is b"*" where none could be read; `code` a response code or b"". `loses_saved`:
    it would have saved what it finds, and its NO leaves nothing saved (RFC 5182 2.1)."""

    def __init__(
        self, tag: bytes, reason: str, status: bytes = b"BAD", code: bytes = b"", *, loses_saved: bool = False
    ) -> None:
        super().__init__(reason)
        self.loses_saved = loses_saved
        self.tag = tag
        self.status = status
        self.code = code


def parse(frame: Frame, utf8: bool = False) -> ask.Command:
    """Read one command. `utf8`: mailbox names are written in UTF-8."""
    cursor = Cursor(frame, utf8)
    tag = b"*"
    try:
        tag = cursor.tag()
        cursor.space()
        return _command(cursor, tag)
    except BadCharset as error:  # RFC 3501 6.4.4: a tagged NO, with what would do
        raise BadCommand(tag, str(error), b"NO", b"BADCHARSET (US-ASCII UTF-8)", loses_saved=error.saving) from error
    except BadMailbox as error:
        raise BadCommand(tag, str(error), b"NO", b"CANNOT") from error
    except BadSyntax as error:
        raise BadCommand(tag, str(error)) from error


def _command(cursor: Cursor, tag: bytes) -> ask.Command:
    name = cursor.word().decode("ascii")
    uid = name == "UID"
    if uid:
        cursor.space()
        name = cursor.word().decode("ascii")
    read = (_UID if uid else _PLAIN).get(name)
    if read is None:
        raise BadSyntax("unknown command")
    arguments = read(cursor)
    cursor.end()
    return ask.Command(tag, name, uid, arguments)


def _simple(cursor: Cursor) -> ask.Arguments:
    return ask.Simple()


def _login(cursor: Cursor) -> ask.Arguments:
    cursor.space()
    user = cursor.astring()
    cursor.space()
    return ask.Login(user, cursor.astring())


def _authenticate(cursor: Cursor) -> ask.Arguments:
    cursor.space()
    mechanism = cursor.atom().upper()
    initial = cursor.take(_INITIAL, "base64") if cursor.skip_text(b" ") else None  # RFC 4959
    return ask.Authenticate(mechanism, initial)


def _identify(cursor: Cursor) -> ask.Arguments:
    cursor.space()
    if cursor.skip(_NIL):
        return ask.Identify(())
    pieces = cursor.parenthesized(cursor.nstring, 60)  # RFC 2971 3.3: no more than 30 pairs
    names = [name or b"" for name in pieces[::2]]
    return ask.Identify(tuple(zip(names, pieces[1::2], strict=False)))


def _enable(cursor: Cursor) -> ask.Arguments:
    found: list[bytes] = []
    while cursor.skip_text(b" ") and len(found) < KEYWORDS_MAX:
        found.append(cursor.atom().upper())
    if not found:
        raise BadSyntax("expected a capability")
    return ask.Enable(tuple(found))


def _on_mailbox(cursor: Cursor) -> ask.Arguments:
    cursor.space()
    return ask.OnMailbox(cursor.mailbox())


def _create(cursor: Cursor) -> ask.Arguments:
    cursor.space()
    name = cursor.mailbox()
    found = cursor.skip(_USE)  # RFC 6154 3
    uses = found[1].decode("ascii").title().split() if found else []
    parent = len(name) > 1 and name.endswith("/")  # RFC 3501 6.3.3: only declares that children will come
    return ask.Create(name[:-1] if parent else name, parent, tuple(uses))


def _rename(cursor: Cursor) -> ask.Arguments:
    cursor.space()
    old = cursor.mailbox()
    cursor.space()
    return ask.Rename(old, cursor.mailbox())


def _quota_root(cursor: Cursor) -> ask.Arguments:
    cursor.space()
    return ask.QuotaRoot(cursor.astring())


def _set_quota(cursor: Cursor) -> ask.Arguments:
    root = _quota_root(cursor)
    cursor.space()
    cursor.expect(b"(")
    cursor.skip(_LIMITS)
    cursor.expect(b")")
    return root


def _store(cursor: Cursor) -> ask.Arguments:
    cursor.space()
    messages = cursor.sequence_set()
    cursor.space()
    since = None
    if cursor.skip(_UNCHANGED_SINCE):
        since = cursor.number()
        cursor.expect(b") ")
    item = cursor.skip(_STORE_ITEM)
    if item is None:
        raise BadSyntax("expected FLAGS")
    cursor.space()
    flags = cursor.flag_list() if cursor.peek() == b"(" else _bare_flags(cursor)
    return ask.Store(messages, _OPERATIONS[item[1]], flags, bool(item[2]), since)


def _bare_flags(cursor: Cursor) -> tuple[str, ...]:
    flags = [cursor.flag()]
    while cursor.skip_text(b" ") and len(flags) < KEYWORDS_MAX:
        flags.append(cursor.flag())
    return tuple(flags)


def _copy(cursor: Cursor) -> ask.Arguments:
    cursor.space()
    messages = cursor.sequence_set()
    cursor.space()
    return ask.Copy(messages, cursor.mailbox())


def _uid_expunge(cursor: Cursor) -> ask.Arguments:
    cursor.space()
    return ask.UidExpunge(cursor.sequence_set())


_ON_MESSAGES: dict[str, Callable[[Cursor], ask.Arguments]] = {
    "FETCH": fetch_arguments,
    "STORE": _store,
    "COPY": _copy,
    "MOVE": _copy,
    "SEARCH": search_arguments,
    "SORT": sort_arguments,
    "THREAD": thread_arguments,
}
_UID = {**_ON_MESSAGES, "EXPUNGE": _uid_expunge}
_PLAIN: dict[str, Callable[[Cursor], ask.Arguments]] = {
    **_ON_MESSAGES,
    **dict.fromkeys(
        ("CAPABILITY", "NOOP", "LOGOUT", "STARTTLS", "CHECK", "CLOSE", "UNSELECT", "EXPUNGE", "IDLE", "NAMESPACE"),
        _simple,
    ),
    "LOGIN": _login,
    "AUTHENTICATE": _authenticate,
    "ID": _identify,
    "ENABLE": _enable,
    "COMPRESS": _enable,
    "SELECT": open_arguments,
    "EXAMINE": open_arguments,
    "CREATE": _create,
    "DELETE": _on_mailbox,
    "RENAME": _rename,
    "SUBSCRIBE": _on_mailbox,
    "UNSUBSCRIBE": _on_mailbox,
    "LIST": list_arguments,
    "LSUB": lsub_arguments,
    "STATUS": status_arguments,
    "APPEND": append_arguments,
    "GETQUOTA": _quota_root,
    "GETQUOTAROOT": _on_mailbox,
    "SETQUOTA": _set_quota,
}
