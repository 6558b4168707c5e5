"""One client's session: what is known of it, and in which state it is (RFC 3501 3).

Law: no I/O, and no commands: they change it (dispatch.py says which may come when).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from mailbox_host.imap.recent import RecentBook
from mailbox_host.imap.selected import Selected
from mailbox_host.imap.settings import LITERAL_BEFORE_LOGIN_MAX, LITERAL_OCTETS_MAX, Settings
from mailbox_host.imap.shelf import Shelf


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
        shelf: Shelf | None = None,
        *,
        secure: bool = True,
        tls_offered: bool = False,
    ) -> None:
        self.settings = settings
        self.recents = recents
        self.clock = clock
        self.shelf = shelf or Shelf()
        self.filed_at = self.told_at = -1  # commits, when nothing was due, and nothing left to tell
        self.secure = secure
        self.tls_offered = tls_offered
        self.account = ""
        self.away = ""  # the host of the account, where a copy of it is shown: nothing can be changed
        self.selected: Selected | None = None
        self.enabled: set[bytes] = set()
        self.tag = b"*"
        self.client: dict[bytes, bytes] = {}  # what it said of itself with ID
        self.compressed = False
        self.ended = False
        self.bad_commands = 0  # in a row
        self.sign_ins_failed = 0

    @property
    def state(self) -> State:
        if self.ended:
            return State.LOGOUT
        if self.selected:
            return State.SELECTED
        return State.AUTHENTICATED if self.account else State.NOT_AUTHENTICATED

    @property
    def rev2(self) -> bool:
        """Tell whether the client speaks IMAP4rev2 (RFC 9051 6.3.1)."""
        return b"IMAP4REV2" in self.enabled

    @property
    def utf8(self) -> bool:
        """Tell whether names go as they are, in UTF-8: in IMAP4rev2, and where RFC 6855 3 is asked for."""
        return self.rev2 or b"UTF8=ACCEPT" in self.enabled

    @property
    def literal_octets_max(self) -> int:
        return LITERAL_OCTETS_MAX if self.account else LITERAL_BEFORE_LOGIN_MAX

    @property
    def append_octets_max(self) -> int:
        """The names in an APPEND's literals come on top of its message."""
        return self.settings.message_octets_max + LITERAL_OCTETS_MAX if self.account else LITERAL_BEFORE_LOGIN_MAX
