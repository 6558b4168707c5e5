"""What was last read of folders, kept while they stand still: SELECT, FETCH and STATUS ask again and again.

Law: nothing is taken from here but under the modseq that the folder has now, and every change to a folder raises its
modseq; what is kept is bounded by rows, and what was not asked for the longest goes first.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from mailbox_host import folders
from mailbox_host.columns import Columns, read_columns
from mailbox_host.folders import Counts, Folder
from mailbox_host.imap.settings import KEYWORDS_PER_MAILBOX_MAX
from store import Reader

ROWS_MAX = 2_000_000  # 37 octets each: 74 MB
COUNTS_MAX = 100_000
INLINE_UIDS_MAX = 500  # a folder that never held more is read on the loop, quicker than a thread is asked


class Shelf:
    """Columns and counts by folder. Readers' threads use it too."""

    def __init__(self) -> None:
        self._columns: dict[int, Columns] = {}
        self._counts: dict[int, tuple[int, Counts]] = {}
        self._words: dict[int, set[str]] = {}
        self._rows = 0
        self._lock = threading.Lock()

    def has(self, folder: int, modseq: int) -> bool:
        """Tell whether `columns` would answer at once."""
        known = self._columns.get(folder)
        return known is not None and known.modseq == modseq

    def columns(self, reader: Reader, folder: int, modseq: int) -> Columns:
        """Return a folder's entries as of this modseq, or later."""
        known = self._columns.get(folder)
        if known is None or known.modseq != modseq:
            known = read_columns(reader, folder, modseq, known)
        self._keep(folder, known)
        return known

    def counts_long(self, folder: Folder) -> bool:
        """Tell whether counting may take long."""
        return folder.uidnext > INLINE_UIDS_MAX and not self._counted(folder) and not self.has(folder.id, folder.modseq)

    def counts(self, reader: Reader, folder: Folder) -> Counts:
        """Count a folder as it was read."""
        if found := self._counted(folder):
            return found
        known = self._columns.get(folder.id)
        fresh = known is not None and known.modseq == folder.modseq
        found = known.counts() if known is not None and fresh else folders.counts(reader, folder.id)
        with self._lock:
            self._counts.pop(folder.id, None)
            self._counts[folder.id] = folder.modseq, found
            if len(self._counts) > COUNTS_MAX:
                del self._counts[next(iter(self._counts))]
        return found

    def keywords(self, folder: int, words: Iterable[str] = ()) -> set[str]:
        """Take note that a folder has keywords; return all that it had since the host started. A client that resumes
        goes on with flags from before, and may meet FLAGS again ahead of what changed."""
        known = self._words.pop(folder, set()).union(words)
        if len(known) > KEYWORDS_PER_MAILBOX_MAX:
            known = set(words)
        if known:
            self._words[folder] = known
            if len(self._words) > COUNTS_MAX:
                del self._words[next(iter(self._words))]
        return known

    def _counted(self, folder: Folder) -> Counts | None:
        modseq, counts = self._counts.get(folder.id, (-1, None))
        return counts if modseq == folder.modseq else None

    def _keep(self, folder: int, columns: Columns) -> None:
        with self._lock:
            old = self._columns.pop(folder, None)
            self._columns[folder] = columns
            self._rows += len(columns.uids) - (len(old.uids) if old else 0)
            while self._rows > ROWS_MAX and len(self._columns) > 1:
                self._rows -= len(self._columns.pop(next(iter(self._columns))).uids)
