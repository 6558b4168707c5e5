"""Conversations (RFC 5256 3): ORDEREDSUBJECT, and REFERENCES after Jamie Zawinski.

Law: every message is in the answer exactly once, whatever its header claims; no cost grows faster than the messages and
their references do (a look for loops goes on only as long as STEPS_PER_LINK allows on average).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

STEPS_PER_LINK = 50  # honest mail, in any order, needs a few; who asks for more gets fewer links
NOBODY = -1


class Message(NamedTuple):
    """What threading looks at. `subject`: the base subject; `reply`: it was a reply or forward (RFC 5256 2.1)."""

    sent: float
    subject: str
    reply: bool
    id: bytes
    references: tuple[bytes, ...]


@dataclass(slots=True)
class Forest:
    """Messages by their place, below `messages`. `children`: of those that have any; a root from `messages` on is a
    dummy, and only stands for its children."""

    messages: int
    roots: list[int] = field(default_factory=list)
    children: dict[int, list[int]] = field(default_factory=dict)
    dummies: int = 0

    def add_dummy(self, children: list[int]) -> int:
        made = self.messages + self.dummies
        self.dummies += 1
        self.children[made] = children
        return made

    def speaker(self, root: int) -> int:
        """The message that speaks for a root."""
        return root if root < self.messages else self.children[root][0]

    def write(self, number: Callable[[int], int]) -> bytes:
        """``(2)(3 6 (4 23)(44 7 96))((5)(8))``"""
        pieces: list[bytes] = []
        waiting: list[int | bytes] = []
        for root in self.roots:
            waiting += [b")", root, b"("]
            while waiting:  # no recursion: a thread may be as deep as a mailbox is large
                item = waiting.pop()
                if isinstance(item, bytes):
                    pieces.append(item)
                    continue
                below = self.children.get(item, ())
                if item < self.messages:
                    pieces.append(b"%d " % number(item) if below else b"%d" % number(item))
                for child in reversed(below):
                    waiting += [b")", child, b"("] if len(below) > 1 else [child]
        return b"".join(pieces)


def by_subject(messages: Sequence[Message]) -> Forest:
    """ORDEREDSUBJECT: the first of a subject, and below it all others."""
    threads: dict[str, list[int]] = {}
    for at in sorted(range(len(messages)), key=lambda at: messages[at].sent):
        threads.setdefault(messages[at].subject, []).append(at)
    forest = Forest(len(messages))
    for first, *others in threads.values():
        forest.roots.append(first)
        if others:
            forest.children[first] = others
    return forest


def by_references(messages: Sequence[Message]) -> Forest:
    """REFERENCES: step by step as in RFC 5256 3."""
    forest = _pruned(_linked(messages), len(messages))
    _sort(forest, messages)
    _gather_subjects(forest, messages)
    _sort(forest, messages)
    return forest


class _Links:
    """Who is whose parent: messages by their place, and after them those that are only spoken of (dummies)."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.parents = [NOBODY] * len(messages)
        self._has_children = bytearray(len(messages))
        self._steps = STEPS_PER_LINK
        self._nodes: dict[bytes, int] = {}
        for at, message in enumerate(messages):  # a repeated Message-ID counts for the first that has it
            if message.id:
                self._nodes.setdefault(message.id, at)

    def node(self, name: bytes) -> int:
        found = self._nodes.get(name)
        if found is None:
            found = self._nodes[name] = len(self.parents)
            self.parents.append(NOBODY)
            self._has_children.append(0)
        return found

    def link(self, parent: int, child: int) -> None:
        """Make one the other's parent, unless that would close a loop."""
        self._steps += STEPS_PER_LINK
        if parent != child and not (self._has_children[child] and self._is_below(parent, child)):
            self.parents[child] = parent
            self._has_children[parent] = 1

    def _is_below(self, node: int, ancestor: int) -> bool:
        while node not in (NOBODY, ancestor):
            node = self.parents[node]
            self._steps -= 1
            if self._steps < 0:
                return True
        return node == ancestor


def _linked(messages: Sequence[Message]) -> list[int]:
    """Step 1."""
    links = _Links(messages)
    for at, message in enumerate(messages):
        before = NOBODY
        for node in map(links.node, message.references):
            if before != NOBODY and links.parents[node] == NOBODY:
                links.link(before, node)
            before = node
        links.parents[at] = NOBODY  # 1.B: what others say of it counts less than what it says itself
        if before != NOBODY:
            links.link(before, at)
    return links.parents


def _pruned(parents: Sequence[int], count: int) -> Forest:
    """Steps 2 and 3: dummies go, their children take their places; only at the top one stays that has several."""
    forest = Forest(count)
    orphans: dict[int, list[int]] = {}
    nearest = _Nearest(parents, count)
    for at in range(count):
        above = nearest.above(at)
        if above == NOBODY:
            forest.roots.append(at)
        elif above < count:
            forest.children.setdefault(above, []).append(at)
        else:
            orphans.setdefault(above, []).append(at)
    for siblings in orphans.values():
        if len(siblings) == 1:
            forest.roots += siblings
        else:
            forest.roots.append(forest.add_dummy(siblings))
    return forest


class _Nearest:
    """Looks past dummies. What was walked once is jumped over from then on."""

    def __init__(self, parents: Sequence[int], count: int) -> None:
        self._parents = parents
        self._count = count
        self._jumps = list(parents)

    def above(self, at: int) -> int:
        """The next message above one, or else the dummy at the top, or NOBODY."""
        walked = []
        node = self._parents[at]
        while node >= self._count and self._parents[node] != NOBODY:
            walked.append(node)
            node = self._jumps[node]
        for dummy in walked:
            self._jumps[dummy] = node
        return node


def _sort(forest: Forest, messages: Sequence[Message]) -> None:
    """Steps 4 and 6: siblings by date, a dummy by its first child."""

    def when(at: int) -> tuple[float, int]:
        at = forest.speaker(at)
        return messages[at].sent, at

    for siblings in forest.children.values():  # never dummies: those are at the top only
        siblings.sort(key=when)
    forest.roots.sort(key=when)


def _gather_subjects(forest: Forest, messages: Sequence[Message]) -> None:
    """Step 5: threads that lost their references, put together by subject."""
    count, children = len(messages), forest.children
    table = _subject_table(forest, messages)
    moved: set[int] = set()
    for root in forest.roots:
        subject = messages[forest.speaker(root)].subject
        first = table.get(subject, root)
        if first == root:
            continue
        moved.add(root)
        if first >= count:
            children[first] += children.pop(root) if root >= count else [root]
        elif messages[root].reply and not messages[first].reply:
            children.setdefault(first, []).append(root)
        else:
            moved.add(first)
            table[subject] = forest.add_dummy([first, root])
    made = [root for root in table.values() if root >= count]
    forest.roots = [root for root in dict.fromkeys([*forest.roots, *made]) if root not in moved]


def _subject_table(forest: Forest, messages: Sequence[Message]) -> dict[str, int]:
    """Steps 5.A and B: of each subject the thread that others are put to: a dummy, or else one that is no reply."""
    count = len(messages)
    table: dict[str, int] = {}
    for root in forest.roots:
        subject = messages[forest.speaker(root)].subject
        if not subject:
            continue
        first = table.setdefault(subject, root)
        if first < count and (root >= count or (messages[first].reply and not messages[root].reply)):
            table[subject] = root
    return table
