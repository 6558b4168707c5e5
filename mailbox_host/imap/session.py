"""One client's session: its state, and which command may come when (RFC 3501 3).

Law: no I/O. `handle` is a generator of effects; whatever the client sent, it ends with a tagged response, or with BYE.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from mailbox_host.accounts import NoSuchAccount
from mailbox_host.folders import BadFolderName, FolderError, FolderExists, NoSuchFolder, TooManyFolders
from mailbox_host.imap import change, fetch, filing, greeting, lists, mailboxes, opening, search, sign_in
from mailbox_host.imap.commands import Command
from mailbox_host.imap.effects import Close, Effect, Steps
from mailbox_host.imap.framing import Frame, TooLarge
from mailbox_host.imap.parser import BadCommand, parse
from mailbox_host.imap.recent import RecentBook
from mailbox_host.imap.responses import bad, no, untagged
from mailbox_host.imap.selected import Selected, refresh
from mailbox_host.imap.settings import BAD_COMMANDS_MAX, LITERAL_BEFORE_LOGIN_MAX, LITERAL_OCTETS_MAX, Settings
from store import StoreFull

__all__ = ["Effect", "Session", "State"]


class State(Enum):
    """RFC 3501 3."""

    NOT_AUTHENTICATED = "not authenticated"
    AUTHENTICATED = "authenticated"
    SELECTED = "selected"
    LOGOUT = "logout"


class Session:
    """What is known of a client. `secure`: nobody listens in (TLS or loopback); `tls_offered`: STARTTLS may come."""

    def __init__(
        self,
        settings: Settings,
        recents: RecentBook,
        clock: Callable[[], float],
        *,
        secure: bool = True,
        tls_offered: bool = False,
    ) -> None:
        self.settings = settings
        self.recents = recents
        self.clock = clock
        self.secure = secure
        self.tls_offered = tls_offered
        self.account = ""
        self.selected: Selected | None = None
        self.enabled: set[bytes] = set()
        self.tag = b"*"
        self.client: dict[bytes, bytes] = {}  # what it said of itself with ID
        self.ended = False
        self._bad_commands = 0

    @property
    def state(self) -> State:
        if self.ended:
            return State.LOGOUT
        if self.selected:
            return State.SELECTED
        return State.AUTHENTICATED if self.account else State.NOT_AUTHENTICATED

    @property
    def literal_octets_max(self) -> int:
        return LITERAL_OCTETS_MAX if self.account else LITERAL_BEFORE_LOGIN_MAX

    @property
    def append_octets_max(self) -> int:
        """The names in an APPEND's literals come on top of its message."""
        return self.settings.message_octets_max + LITERAL_OCTETS_MAX if self.account else LITERAL_BEFORE_LOGIN_MAX

    def greet(self) -> bytes:
        code = b"[CAPABILITY " + greeting.capabilities(self) + b"] "
        return untagged(b"OK " + code + self.settings.host.encode("ascii", "replace") + b" Heliograph IMAP ready")

    def handle(self, frame: Frame) -> Steps[None]:
        """Answer one command."""
        try:
            command = parse(frame)
        except BadCommand as error:
            status = (no if error.status == b"NO" else bad)(str(error), error.code.decode("ascii"))
            yield from self._wrong(error.tag, status)
            return
        self.tag = command.tag
        status = yield from self._answer(command)
        if status:
            yield command.tag + b" " + status + b"\r\n"

    def refuse(self, event: TooLarge) -> Steps[None]:
        """Answer what passed a limit."""
        if event.fatal:
            self.ended = True
            yield untagged(b"BYE " + event.text.split(b" ", 1)[1])
            yield Close()
        else:
            yield from self._wrong(event.tag, event.text)

    def _wrong(self, tag: bytes, status: bytes) -> Steps[None]:
        yield tag + b" " + status + b"\r\n"
        self._bad_commands += 1
        if self._bad_commands >= BAD_COMMANDS_MAX:
            self.ended = True
            yield untagged(b"BYE Too many bad commands")
            yield Close()

    def _answer(self, command: Command) -> Steps[bytes]:
        states, handler = COMMANDS[command.name]
        if self.state not in states:
            return bad(f"Not while {self.state.value}")
        self._bad_commands = 0
        try:
            status = yield from handler(self, command)
        except FolderError as error:
            status = no(str(error), _code_of(error))
        except NoSuchAccount:
            self.ended = True
            yield untagged(b"BYE The account was removed")
            yield Close()
            return b""
        except StoreFull:
            status = no("The disk is full, try again later", "UNAVAILABLE")
        if self.selected and not self.ended:
            yield from refresh(self, expunges=command.uid or command.name not in ("FETCH", "STORE", "SEARCH"))
            if self.ended:  # the mailbox was deleted: BYE was the answer
                return b""
        return status


def _code_of(error: FolderError) -> str:
    """RFC 5530 3."""
    match error:
        case FolderExists():
            return "ALREADYEXISTS"
        case NoSuchFolder():
            return "NONEXISTENT"
        case BadFolderName():
            return "CANNOT"
        case TooManyFolders():
            return "LIMIT"
    return ""


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
    "SELECT": (_AFTER, opening.select),
    "EXAMINE": (_AFTER, opening.select),
    "CHECK": (_SELECTED, greeting.noop),
    "CLOSE": (_SELECTED, opening.close),
    "UNSELECT": (_SELECTED, opening.unselect),
    "EXPUNGE": (_SELECTED, change.expunge_messages),
    "SEARCH": (_SELECTED, search.search),
    "FETCH": (_SELECTED, fetch.fetch),
    "STORE": (_SELECTED, change.store),
    "COPY": (_SELECTED, filing.copy_or_move),
    "MOVE": (_SELECTED, filing.copy_or_move),
}
