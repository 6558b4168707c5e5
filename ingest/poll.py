"""One poll of one feed, from the question to the transaction.

Law: validators are never saved before the items that they stand for; a poll that is cut off anywhere has not been.
"""

from __future__ import annotations

from ingest import feeds, push
from ingest.articles import with_articles
from ingest.feeds import Feed
from ingest.fetched import Failed, Fetched, Unchanged
from ingest.found import digest_of, read
from ingest.handing_on import LEAVING
from ingest.settle import write_asleep, write_elsewhere, write_failure, write_found, write_leaving, write_unchanged
from ingest.tools import Tools


async def poll(tools: Tools, feed: Feed) -> None:
    """Ask a feed's site once, and post what is new."""
    if not tools.room.polls(feed.bucket):
        await write_elsewhere(tools, feed)
        return
    if feed.standing == LEAVING:
        await write_leaving(tools, feed)
        return
    if feed.standing == "asleep":
        await write_asleep(tools, feed)
        return
    began = tools.clock()
    answer = await tools.fetcher.fetch(feed.url, feed.validators, followers=feed.followers)
    match answer:
        case Failed():
            await write_failure(tools, feed, answer)
        case Unchanged():
            await write_unchanged(tools, feed, answer, "304, not modified")
        case Fetched():
            await _document(tools, feed, answer, digest_of(answer.content))
    if tools.room.settings.push_url and push.told_since(tools.store.reader, feed.id, began):
        await tools.store.write(lambda tx: feeds.again(tx, feed.id, began + push.NEWS_SECONDS_MIN))


async def _document(tools: Tools, feed: Feed, fetched: Fetched, digest: bytes) -> None:
    if digest == feed.digest:
        await write_unchanged(tools, feed, fetched, "200, the same document")
        return
    found = await read(tools, fetched, feed, digest)
    if isinstance(found, Failed):
        await write_failure(tools, feed, found)
        return
    await write_found(tools, feed, await with_articles(tools, found) if feed.fulltext else found)
