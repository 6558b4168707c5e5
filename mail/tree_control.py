"""What the lists of one tree tell each other: controls that go with the others of `mail.control`.

Law: each names the branch it is about: `node`, a sub-reflector, or `host`, a leaf. The other end is computed from that
(the parent of node n is (n - 1) // 16), never read from the mail. `epoch` says which hand-over is meant: an answer to
another one changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Adopt:
    """Parent to branch: here is one part of `parts` of your followers, in the body. `since`: no row begins before."""

    source: str
    epoch: int
    part: int
    parts: int
    node: int = 0
    host: str = ""
    lo: int = 0
    hi: int = 0
    since: int = 1
    generation: int = 0
    owner: str = ""
    title: str = ""
    backlog: int = 0


@dataclass(frozen=True, slots=True)
class Adopted:
    """Branch to parent: I have all parts; this many rows, this digest. The body names whom I could not take."""

    source: str
    epoch: int
    rows: int
    digest: str
    node: int = 0
    host: str = ""


@dataclass(frozen=True, slots=True)
class Fold:
    """Parent to branch: give me your followers back."""

    source: str
    epoch: int
    node: int = 0
    host: str = ""


@dataclass(frozen=True, slots=True)
class Returned:
    """Branch to parent: one part of them, in the body; `rows` and `digest` are those of all parts together."""

    source: str
    epoch: int
    part: int
    parts: int
    rows: int
    digest: str
    generation: int
    node: int = 0
    host: str = ""


@dataclass(frozen=True, slots=True)
class Released:
    """Parent to branch: posts from `until` on are mine again. 0: it comes to nothing, go on as before."""

    source: str
    epoch: int
    until: int
    node: int = 0
    host: str = ""


@dataclass(frozen=True, slots=True)
class Relay:
    """A subscriber's command on its way through the tree, from list `node`. `since`: the next post's number where it
    was read; `ticket` and `hops` together are there once; `quiet`: who sent it tells her. `epoch`: going down, of the
    branch that it is for; going up, 0."""

    source: str
    node: int
    word: str
    subscriber: str
    ticket: str
    hops: int
    since: int
    quiet: bool = False
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """Branch to parent and root: how it stands. `total`: with all branches below."""

    source: str
    epoch: int
    rows: int
    total: int
    branches: int
    next_post: int
    digest: str = ""
    node: int = 0
    host: str = ""


@dataclass(frozen=True, slots=True)
class Audit:
    """Parent to branch: report, and have your branches report."""

    source: str
    node: int = 0
    host: str = ""


@dataclass(frozen=True, slots=True)
class Dissolve:
    """Parent to branch: from post `until` on nobody is yours; the source is gone, or nothing came of your hand-over."""

    source: str
    epoch: int
    until: int
    generation: int
    node: int = 0
    host: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """Leaf to root: the followers in the body lived here and live elsewhere now; tell me when you serve them there.
    `upto`: the last of this host's notes that are meant; `serial`: of a zone by which they live there."""

    source: str
    upto: int
    serial: int
    host: str


@dataclass(frozen=True, slots=True)
class Settled:
    """Root to leaf: those with this digest are served where they live, from post `until` on."""

    source: str
    upto: int
    digest: str
    until: int
    host: str


@dataclass(frozen=True, slots=True)
class PassOn:
    """Timeline's host to a leaf: this follower was told that she follows, from `from_` on and before `until`, when the
    list took her to live at `host`; she lives with who signs this. What came and comes to you for her belongs here."""

    source: str
    host: str
    who: str
    from_: int
    until: int
    generation: int
    folder: str = "INBOX"


TreeControl = (
    Adopt | Adopted | Fold | Returned | Released | Relay | Report | Audit | Dissolve | Moved | Settled | PassOn
)
WORDS: dict[str, type[TreeControl]] = {
    "adopt": Adopt,
    "adopted": Adopted,
    "fold": Fold,
    "returned": Returned,
    "released": Released,
    "relay": Relay,
    "report": Report,
    "audit": Audit,
    "dissolve": Dissolve,
    "moved": Moved,
    "settled": Settled,
    "pass-on": PassOn,
}
