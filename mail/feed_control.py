"""What hosts tell each other of feeds, beside who wants them: who polls, who follows.

Law: as in control.py, where these are read and written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TakeFeed:
    """To the ingest room that polls where a feed has moved to for good, with all that is known of it: poll it from now
    on. `bucket`: whose owner offers it."""

    source: str
    url: str
    bucket: int


@dataclass(frozen=True, slots=True)
class TookFeed:
    """The answer: it is polled here now; or (`taken=no`) there is a feed at that place already."""

    source: str
    taken: bool


@dataclass(frozen=True, slots=True)
class GatherFeeds:
    """To an ingest room, with a letter of `gathering.py`: say which of these sources are feeds that you poll, and let
    it go on; the last host answers `account`, who asked in the mail `about`."""

    account: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class TellFollowers:
    """To a reflector, from the ingest room of a bucket, which polls its source's feed: how many follow?"""

    source: str
    bucket: int


@dataclass(frozen=True, slots=True)
class OwnerGone:
    """To the ingest room of each host: this person's account was removed. What posts in its name posts no more."""

    owner: str


FeedControl = OwnerGone | TakeFeed | TookFeed | GatherFeeds | TellFollowers
WORDS: dict[str, type[Any]] = {
    "take-feed": TakeFeed,
    "took-feed": TookFeed,
    "gather-feeds": GatherFeeds,
    "tell-followers": TellFollowers,
    "owner-gone": OwnerGone,
}
