"""The selected mailbox as this session has told it to its client.

Law: message sequence numbers change only where an EXPUNGE or EXISTS is sent. Until then a message that others removed
keeps its number here.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from mailbox_host.imap.responses import SYSTEM_FLAG_NAMES
from mailbox_host.imap.sequence import SequenceSet, Span, merge

COMMON_KEYWORDS = ("$Forwarded", "$Junk", "$MDNSent", "$NotJunk", "$Phishing")  # RFC 9051 2.3.2: known to every client


class Selected:
    """UIDs by position, and up to which modseq the client has been told."""

    __slots__ = (
        "expunges_told",
        "flags_told",
        "folder",
        "keywords",
        "name",
        "own",
        "read_only",
        "recent",
        "saved",
        "uids",
    )

    def __init__(self, folder: int, name: str, uids: Iterable[int], modseq: int, read_only: bool) -> None:
        self.folder = folder
        self.name = name
        self.read_only = read_only
        self.uids = array("I", uids)
        self.flags_told = self.expunges_told = modseq
        self.recent: list[tuple[int, int]] = []  # UIDs (after, up to] that are \Recent for us
        self.saved = array("I")  # UIDs: the result that SEARCH RETURN (SAVE) left
        self.keywords: set[str] = set()  # that the client was told of in FLAGS
        self.own: dict[int, int] = {}  # UID -> modseq of changes that this session made and has shown

    @property
    def last_uid(self) -> int:
        return self.uids[-1] if self.uids else 0

    def position(self, uid: int) -> int:
        """Return a UID's place, counted from 0, or -1."""
        at = bisect_left(self.uids, uid)
        return at if at < len(self.uids) and self.uids[at] == uid else -1

    def find(self, messages: SequenceSet, uid: bool) -> list[Span]:
        if messages.saved:  # RFC 5182 2.1: what was expunged since is not in it any more
            return merge((place, place + 1) for place in map(self.position, self.saved) if place >= 0)
        return messages.by_uid(self.uids) if uid else messages.by_number(len(self.uids))

    def forget_saved(self) -> None:
        """A SEARCH that would have saved its result has failed (RFC 5182 2.1)."""
        self.saved = array("I")

    def is_recent(self, uid: int) -> bool:
        return any(after < uid <= upto for after, upto in self.recent)

    def recent_uids(self, uids: Sequence[int]) -> set[int]:
        """Return which of these ascending UIDs are \\Recent."""
        return {uid for start, stop in self.recent_spans(uids) for uid in uids[start:stop]}

    def recent_spans(self, uids: Sequence[int]) -> list[Span]:
        """Return the places among these ascending UIDs of those that are \\Recent."""
        return [(bisect_right(uids, after), bisect_right(uids, upto)) for after, upto in self.recent]

    def recent_count(self) -> int:
        return sum(bisect_right(self.uids, upto) - bisect_right(self.uids, after) for after, upto in self.recent)

    def add_recent(self, span: tuple[int, int]) -> None:
        after, upto = span
        if after == upto:
            return
        if self.recent and self.recent[-1][1] >= after:
            after, upto = self.recent.pop()[0], upto
        self.recent.append((after, upto))

    def remove(self, gone: Sequence[int]) -> list[int]:
        """Take UIDs out; return the numbers that EXPUNGE tells, each counted after those before it are gone."""
        places = [place for place in map(self.position, sorted(set(gone))) if place >= 0]
        if places:
            kept = array("I")
            start = 0
            for place in places:
                kept.extend(self.uids[start:place])
                start = place + 1
            kept.extend(self.uids[start:])
            self.uids = kept
        return [place + 1 - before for before, place in enumerate(places)]


def flag_names(keywords: Iterable[str]) -> str:
    """The system flags and these keywords."""
    return " ".join([SYSTEM_FLAG_NAMES.decode("ascii"), *sorted(keywords)])


def flags_line(keywords: Iterable[str]) -> bytes:
    return b"FLAGS (" + flag_names(keywords).encode("ascii", "replace") + b")"
