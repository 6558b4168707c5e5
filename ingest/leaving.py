"""Leaving a feed by its address: the host that polls it knows which source that is.

Law: who is sure leaves at once, through the lists of the feed and of its edits; anybody else is asked by them first.
"""

from __future__ import annotations

from directory.names import FabricNames
from ingest import feeds, requests
from ingest.answers import answer
from ingest.carry_out import Asker, unfollow
from ingest.header_text import line_of
from mail.control import UnfollowFeed
from mail.envelope import Outgoing
from store import Transaction

UNKNOWN = """\
{url}
is followed by nobody here, so there is nothing to stop. Its feed may have another
address than its page: write list to see what you follow, and unfollow with a name.
"""


def unfollow_feed(
    tx: Transaction, names: FabricNames, unwanted: UnfollowFeed, about: str, now: float
) -> list[Outgoing]:
    """Stop one address, and forget that it was asked for."""
    requests.forget(tx, unwanted.url, unwanted.subscriber)
    entity = names.local_entity(unwanted.subscriber) if unwanted.confirmed else ""
    who = Asker(unwanted.subscriber, entity, about, now)
    feed = feeds.by_url(tx, unwanted.url)
    if feed:
        sources = [feed.source, *([feed.edits] if feed.edits else [])]
        return [out for source in sources for out in unfollow(names, who, source)]
    if not unwanted.confirmed:
        return []
    text, subject = UNKNOWN.format(url=line_of(unwanted.url, 400)), "A feed that is not followed"
    return [answer(names, to=unwanted.subscriber, subject=subject, text=text, about=about, now=now)]
