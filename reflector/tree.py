"""The tree of a source's lists, as numbers: who is whose parent, and which followers are whose.

Law: pure, and the same on every host. Node 0 is the root, ``bob``; node n is ``bob+sub.n``; its children are
16 n + 1 ... 16 n + 16, so that parent and child of any node are computed and never believed. Followers outside the
fabric are divided among them by ranges of their address's hash; followers in it are not: each host has one leaf.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

FANOUT_LIMIT = 16
NODE_MAX = 999_999_999  # nine digits of the address, and so seven levels below the root: more than there is mail
HASHES = 2**32
SUB = "sub"
LEAF = "leaf"


@dataclass(frozen=True, slots=True)
class Range:
    """Hashes, lo <= h < hi."""

    lo: int
    hi: int

    def __contains__(self, hash_: int) -> bool:
        return self.lo <= hash_ < self.hi


WHOLE = Range(0, HASHES)


def list_of(source: str, node: int) -> str:
    return f"{source}+sub.{node}" if node else source


def source_of(list_: str) -> str:
    return list_.partition("+")[0]


def node_of(list_: str) -> int:
    return int(list_.rpartition("+sub.")[2]) if "+" in list_ else 0


def is_root(list_: str) -> bool:
    return "+" not in list_


def parent_of(list_: str) -> str:
    """Return the list above; the root has none."""
    assert not is_root(list_)
    return list_of(source_of(list_), (node_of(list_) - 1) // FANOUT_LIMIT)


def child_of(list_: str, place: int) -> str:
    """Return the child at a place, 0 <= place < FANOUT_LIMIT."""
    return list_of(source_of(list_), node_of(list_) * FANOUT_LIMIT + 1 + place)


def can_split(list_: str) -> bool:
    return node_of(list_) * FANOUT_LIMIT + FANOUT_LIMIT <= NODE_MAX


def cut(whole: Range, parts: int) -> list[Range]:
    """Cut a range into equal ones, without a gap."""
    edges = [whole.lo + (whole.hi - whole.lo) * part // parts for part in range(parts + 1)]
    return [Range(lo, hi) for lo, hi in pairwise(edges)]
