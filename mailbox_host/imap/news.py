"""Listening to the bell for one session in IDLE.

Law: what rings between two looks is not lost: `pending` stays set until somebody has looked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mailbox_host.bell import Bell
from mailbox_host.imap.filing_ahead import FilingAhead


class News:
    """Wakes a session when its account, or a source that the account follows, has something new."""

    __slots__ = ("_account", "_listener", "_sources", "_stale", "_wake", "pending")

    def __init__(
        self,
        bell: Bell,
        account: str,
        sources: Callable[[], Iterable[str]],
        ahead: FilingAhead,
        wake: Callable[[], None],
    ) -> None:
        self._sources = sources
        self._wake = wake
        self._stale = False
        self.pending = True  # what came just before we listened
        # Two places at the bell: only a ring for the account can mean that it follows other sources now.
        self._account = bell.listen(account, (), self._account_rang)
        self._listener = bell.listen("", sources(), lambda: ahead.ring(account, self._rang))

    def look(self) -> None:
        """Take note that somebody looks now."""
        self.pending = False
        if self._stale:
            self._stale = False
            self._listener.follow(self._sources())

    def close(self) -> None:
        self._account.close()
        self._listener.close()

    def _account_rang(self) -> None:
        self._stale = True
        self._rang()

    def _rang(self) -> None:
        self.pending = True
        self._wake()
