"""Control mail: what one room tells another, as signed fields of a message.

Law: a ``Heliograph-Control`` field is believed only in an Arrival whose `signed_by` is set. Order and repeats do no
harm: intervals carry a generation and the highest wins, creating twice is creating once. A message may carry several
fields; they are carried out in their order, in one transaction.

    Heliograph-Control: welcome source=bob from=17 generation=3 folder=News
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import quote, unquote

from mail.feed_control import WORDS as FEED_WORDS
from mail.feed_control import FeedControl
from mail.headers import Headers, add_headers
from mail.tree_control import WORDS as TREE_WORDS
from mail.tree_control import TreeControl

FIELD = "Heliograph-Control"
CONTROLS_MAX = 16  # in one message; ours never send more than 4


@dataclass(frozen=True, slots=True)
class Welcome:
    """Reflector to timeline: you follow `source` from post `from_` on (inclusive). `at`: the host where the list takes
    you to live, whose leaf may get your posts."""

    source: str
    from_: int
    generation: int
    folder: str = "INBOX"
    at: str = ""


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Reflector to timeline: you no longer follow `source`, from post `until` on (exclusive end)."""

    source: str
    until: int
    generation: int


@dataclass(frozen=True, slots=True)
class CreateSource:
    """To a reflector: let there be a source. `owner` is the entity whose signed-in mail it posts; `backlog` is how
    many of the newest posts a new follower gets at once (feeds: 3, people: 0)."""

    source: str
    owner: str
    title: str = ""
    backlog: int = 0


@dataclass(frozen=True, slots=True)
class RemoveSource:
    """To a reflector: the source's entity is gone."""

    source: str


@dataclass(frozen=True, slots=True)
class Subscribe:
    """To a reflector, from a room that has the subscriber's word (`confirmed`) or has not (then it asks for it)."""

    source: str
    subscriber: str
    folder: str = "INBOX"
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """To a reflector, as `Subscribe`: this address leaves."""

    source: str
    subscriber: str
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class FollowFeed:
    """To the ingest room that owns the feed's bucket: poll this URL, and subscribe this address to it. `fulltext`: with
    whole articles, for everybody."""

    url: str
    subscriber: str
    folder: str = "INBOX"
    confirmed: bool = True
    edits: bool = False
    fulltext: bool = False


@dataclass(frozen=True, slots=True)
class UnfollowFeed:
    """To the ingest room that polls this URL: this address wants nothing of it any more."""

    url: str
    subscriber: str
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class Sift:
    """To a timeline: of what it gets of `source`, keep posts with one of these words, and none of those (each ends with
    a newline; none: all are kept). The highest `at` wins. Beside a FollowFeed, whose source has no name yet, the same
    without one."""

    source: str = ""
    only: str = ""
    without: str = ""
    at: int = 0


@dataclass(frozen=True, slots=True)
class TellFollows:
    """To a timeline: its owner asks what she follows, in the mail `about`; `feeds`: as a list for feed readers."""

    about: str = ""
    feeds: bool = False


@dataclass(frozen=True, slots=True)
class WantNewsletter:
    """To the ingest room of a timeline's host: its owner wants an address to give away, or (`drop`) no more mail to
    it."""

    name: str
    folder: str = ""
    drop: bool = False
    about: str = ""


@dataclass(frozen=True, slots=True)
class KeepSent:
    """To a timeline: this letter was submitted by its owner, who wants a copy kept."""

    entity: str


@dataclass(frozen=True, slots=True)
class Followers:
    """To the ingest room that polls a source's feed (the envelope sender of its posts): so many follow it now."""

    source: str
    followers: int


Control = (
    Welcome
    | Goodbye
    | CreateSource
    | RemoveSource
    | Subscribe
    | Unsubscribe
    | FollowFeed
    | UnfollowFeed
    | Followers
    | Sift
    | TellFollows
    | WantNewsletter
    | KeepSent
    | FeedControl
    | TreeControl
)
_WORDS: dict[str, type[Any]] = {
    "welcome": Welcome,
    "goodbye": Goodbye,
    "create-source": CreateSource,
    "remove-source": RemoveSource,
    "subscribe": Subscribe,
    "unsubscribe": Unsubscribe,
    "follow-feed": FollowFeed,
    "unfollow-feed": UnfollowFeed,
    "followers": Followers,
    "sift": Sift,
    "tell-follows": TellFollows,
    "want-newsletter": WantNewsletter,
    "keep-sent": KeepSent,
    **FEED_WORDS,
    **TREE_WORDS,
}
_NAMES = {kind: word for word, kind in _WORDS.items()}


def control_field(control: Control) -> str:
    """Write one control as a field's value; values are percent-encoded (RFC 3986 2.1)."""
    pairs = [f"{f.name.rstrip('_')}={_write(getattr(control, f.name))}" for f in fields(control)]
    return " ".join([_NAMES[type(control)], *pairs])


def add_controls(content: bytes, *controls: Control) -> bytes:
    """Put controls in front of a message."""
    return add_headers(content, [(FIELD, control_field(control)) for control in controls])


def read_controls(headers: Headers) -> list[Control]:
    """Read a message's controls. Ask only of a trusted message. Raise ValueError for one that cannot be read."""
    values = headers.all(FIELD)
    if len(values) > CONTROLS_MAX:
        raise ValueError(f"more than {CONTROLS_MAX} controls")
    return [_parse(value) for value in values]


def _parse(value: str) -> Control:
    word, *pairs = value.split()
    kind = _WORDS.get(word)
    if kind is None:
        raise ValueError(f"unknown control {word[:40]!r}")
    given = dict(pair.partition("=")[::2] for pair in pairs)
    arguments = {f.name: _read(f.type, given[f.name.rstrip("_")]) for f in fields(kind) if f.name.rstrip("_") in given}
    try:
        control: Control = kind(**arguments)
    except TypeError as missing:
        raise ValueError(f"{word}: {missing}") from None
    return control


def _write(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return quote(str(value), safe="@:/+.-_")


def _read(type_name: object, text: str) -> str | int | bool:
    if type_name == "bool":
        return text == "yes"
    return int(text) if type_name == "int" else unquote(text)
