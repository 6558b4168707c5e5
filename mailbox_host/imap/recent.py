"""Which messages are \\Recent: the first session that is told of a message sees it so (RFC 3501 2.3.2).

Law: kept in memory only; after a restart everything is \\Recent once more, as the RFC prefers where it cannot be known.
"""

from __future__ import annotations

from mailbox_host.imap.settings import RECENT_FOLDERS_MAX


class RecentBook:
    """Per folder: the highest UID that a session has been told of."""

    def __init__(self) -> None:
        self._told: dict[int, int] = {}

    def claim(self, folder: int, highest: int) -> tuple[int, int]:
        """Take what is new up to UID `highest` for one session: (after, up to), empty where both are equal."""
        after, highest = self.peek(folder, highest)
        self._told[folder] = highest
        if len(self._told) > RECENT_FOLDERS_MAX:
            del self._told[next(iter(self._told))]
        return after, highest

    def peek(self, folder: int, highest: int) -> tuple[int, int]:
        """Tell what would be new, and leave it so: EXAMINE and STATUS (RFC 3501 6.3.2)."""
        after = self._told.get(folder, 0)
        return after, max(after, highest)
