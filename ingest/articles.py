"""Whole articles, for feeds that tell only how theirs begin.

Law: asked for in so many words; a few pages of one poll, one after the other, by the fetcher that feeds are read by.
What cannot be fetched, or is shorter than what the feed has, changes nothing: the item is posted as it is.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ingest.fetch import PAGE
from ingest.fetched import Failed, Fetched
from ingest.found import Found
from ingest.items import Item
from ingest.pool import Stalled
from ingest.raw_item import stripped
from ingest.resting import rest, rest_seconds
from ingest.tools import Tools
from ingest.urls import BadUrl, canonical

PAGES_MAX = 5  # of one poll: the newest; a feed that brings more at once is read as it is
PAUSE_SECONDS = 1.0  # between two pages
LONGER = 1.2  # times the feed's own words: below, they are the article


async def with_articles(tools: Tools, found: Found, *, pause: float = PAUSE_SECONDS) -> Found:
    """Return what a poll found, with articles in place of their beginnings."""
    count = len(found.verdict.send)
    items = list(found.items)
    for fetched, place in enumerate(range(count - 1, max(-1, count - 1 - PAGES_MAX), -1)):
        if fetched:
            await asyncio.sleep(pause)
        items[place] = await _whole(tools, items[place])
    return replace(found, items=tuple(items))


async def _whole(tools: Tools, item: Item) -> Item:
    try:
        url = canonical(item.link)
    except BadUrl:
        return item
    now = tools.clock()
    if rest_seconds(tools.store.reader, url.domain, now):
        return item
    answer = await tools.fetcher.fetch(url.text, wanted=PAGE)
    if isinstance(answer, Failed) and answer.busy:
        settings = tools.room.settings  # for a day at most: a page says nothing of how often its feed may be asked for
        seconds = min(max(answer.retry_after, settings.poll_seconds_min), settings.poll_seconds_max)
        await tools.store.write(lambda tx: rest(tx, url.domain, until=now + seconds, now=now))
    if not isinstance(answer, Fetched):
        return item
    try:
        article = await tools.pool.article(answer.content, answer.url, answer.content_type)
    except Stalled:
        return item
    if article is None or article.characters < len(stripped(item.html)) * LONGER:
        return item
    return replace(item, text=article.text, html=article.html)
