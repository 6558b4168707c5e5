"""One request, from its address to a source that is followed, or to a reason why not.

Law: who asked is told exactly once, in the transaction that ends her request. An address is looked for on this host;
what was found is polled by the host that owns its domain's bucket, and that one looks no further.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingest import deliver, feeds, requests
from ingest.articles import with_articles
from ingest.counting import somebody_came
from ingest.feeds import Feed
from ingest.fetched import Failed, Fetched
from ingest.found import Found, read, reason_of
from ingest.items import Listing, Page, Reading
from ingest.naming import source_name
from ingest.pool import Stalled
from ingest.requests import Request
from ingest.resting import rest, rest_seconds
from ingest.schedule import retry
from ingest.settle import listen, polled_now
from ingest.tools import Tools
from ingest.urls import canonical
from mail.control import FollowFeed, Sift
from mail.envelope import Outgoing
from store import Transaction

CANDIDATES_MAX = 3  # of the feeds that a page names, how many are tried
NAMES_TRIED_MAX = 8
RESTS = "the site asked to be left alone for a while"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a feed is, and what was fetched from there."""

    url: str
    fetched: Fetched


async def follow(tools: Tools, request: Request) -> None:
    """Carry a request out, with all others for the same address."""
    if not tools.room.polls(request.bucket):
        await _pass_on(tools, request, request.url, request.bucket, request.direct)
        return
    if feeds.by_url(tools.store.reader, request.url):
        await _join(tools, request, request.url)
        return
    rest_left = rest_seconds(tools.store.reader, request.domain, tools.clock())
    place = Failed(RESTS, retry_after=rest_left) if rest_left else await _look(tools, request)
    if isinstance(place, Failed):
        await give_up_or_wait(tools, request, place)
        return
    bucket = request.bucket if place.url == request.url else tools.room.bucket_of(place.url)
    if not tools.room.polls(bucket):
        await _pass_on(tools, request, place.url, bucket, True)
    elif feeds.by_url(tools.store.reader, place.url):
        await _join(tools, request, place.url)
    else:
        await _begin(tools, request, place, bucket)


async def give_up_or_wait(tools: Tools, request: Request, failed: Failed) -> None:
    """Try again later where that may help; otherwise tell everyone who asked."""
    now, tries = tools.clock(), request.tries + 1
    wait = retry(tries, failed.retry_after, tools.room.settings) if failed.temporary else None

    def settle(tx: Transaction) -> None:
        if failed.busy:
            seconds = failed.retry_after or tools.room.settings.poll_seconds_min
            rest(tx, request.domain, until=now + seconds, now=now)
        if wait is not None:
            requests.postpone(tx, request.url, tries=tries, until=now + wait)
            return
        everyone = requests.for_url(tx, request.url)
        for each in everyone:
            if each.confirmed or requests.may_be_answered(tx, each.subscriber, now):
                tools.spool(tx, deliver.regret(tools.names, each, failed.reason, now))
        requests.drop(tx, everyone)

    await tools.store.write(settle)


async def _look(tools: Tools, request: Request) -> _Place | Failed:
    """Find the feed at an address, or the one that the page there names."""
    place, reading = await _fetch(tools, request.url, direct=request.direct)
    if reading is None or isinstance(reading, Listing):
        return place
    failed = Failed(reason_of(reading), temporary=False)
    if request.direct or not isinstance(reading, Page):
        return failed
    for candidate in reading.feeds[:CANDIDATES_MAX]:
        place, reading = await _fetch(tools, candidate, direct=False)
        if isinstance(reading, Listing):
            return place
    return failed


async def _fetch(tools: Tools, url: str, *, direct: bool) -> tuple[_Place | Failed, Reading | None]:
    answer = await tools.fetcher.fetch(url)
    if not isinstance(answer, Fetched):
        return (answer if isinstance(answer, Failed) else Failed("the site sent no document")), None
    try:
        async with tools.pool.reading(answer.content, answer.url, answer.content_type) as document:
            return _Place(url if direct else answer.lasting, answer), document.reading
    except Stalled as stalled:
        return Failed(str(stalled), temporary=False), None


async def _pass_on(tools: Tools, request: Request, url: str, bucket: int, direct: bool) -> None:
    """Let the owner of a bucket have the requests for an address."""

    def settle(tx: Transaction) -> None:
        everyone = requests.for_url(tx, request.url)
        for each in everyone:
            wanted = FollowFeed(url, each.subscriber, each.folder, each.confirmed, each.edits, each.fulltext)
            sift = Sift("", each.only, each.without)
            tools.spool(tx, tools.room.pass_on(wanted, bucket, direct=direct, asked_by=each.asked_by, sift=sift))
        requests.drop(tx, everyone)

    await tools.store.write(settle)


async def _join(tools: Tools, request: Request, url: str) -> None:
    """Let people follow a feed that is polled already: no fetch, no second poll."""
    now = tools.clock()

    def settle(tx: Transaction) -> None:
        feed = feeds.by_url(tx, url)
        if feed:
            _subscribe(tools, tx, request.url, feed, new=False, now=now)

    await tools.store.write(settle)


async def _begin(tools: Tools, request: Request, place: _Place, bucket: int) -> None:
    """Let there be a source for a feed, with its newest items and its first followers."""
    found = await read(tools, place.fetched, None)
    if isinstance(found, Failed):
        await give_up_or_wait(tools, request, found)
        return
    if request.fulltext:
        found = await with_articles(tools, found)
    now = tools.clock()

    def settle(tx: Transaction) -> None:
        if not requests.for_url(tx, request.url):  # nobody wants it any more, or its bucket has moved meanwhile
            return
        feed = feeds.by_url(tx, place.url)  # meanwhile it may have been found by way of another page
        new = feed is None
        feed = feed or _create(tx, place.url, bucket, found, now)
        _subscribe(tools, tx, request.url, feed, new=new, now=now)
        if new:
            _spool(tools, tx, found.posts(tools, feed, now))
            feeds.remember(tx, feed.id, found.verdict.mark, ())
            listen(tools, tx, feed.id, found, now)
            feeds.store_poll(tx, feed.id, polled_now(tools, found, feed, now))

    await tools.store.write(settle)


def _create(tx: Transaction, url: str, bucket: int, found: Found, now: float) -> Feed:
    where = canonical(url)
    source = _free_name(tx, found.title, url)
    number = feeds.create(tx, url=url, domain=where.domain, bucket=bucket, source=source, title=found.title, now=now)
    feed = feeds.by_id(tx, number)
    assert feed
    return feed


def _free_name(tx: Transaction, title: str, url: str) -> str:
    names = (source_name(title, canonical(url), attempt) for attempt in range(NAMES_TRIED_MAX))
    return next(name for name in names if not feeds.is_taken(tx, name))


def _subscribe(tools: Tools, tx: Transaction, asked: str, feed: Feed, *, new: bool, now: float) -> None:
    """Tell the reflector, then the people; their requests are done."""
    everyone, names = requests.for_url(tx, asked), tools.names
    created = deliver.new_source(feed.source, feed.title, tools.room.settings.backlog) if new else None
    _spool(tools, tx, deliver.sifts(names, feed.source, everyone, now=now))
    _spool(tools, tx, deliver.subscriptions(names, feed.source, everyone, new=created, now=now))
    if wanting := [each for each in everyone if each.edits]:
        _spool(tools, tx, _subscribe_to_edits(tools, tx, feed, wanting, now))
    if any(each.fulltext for each in everyone):
        feeds.want_articles(tx, feed.id)
    somebody_came(tx, feed)
    if feed.standing == "asleep":
        feeds.followed_by(tx, feed, -1, now)
    _spool(tools, tx, deliver.welcomes(names, everyone, source=feed.source, title=feed.title, now=now))
    requests.drop(tx, everyone)


def _subscribe_to_edits(
    tools: Tools, tx: Transaction, feed: Feed, wanting: list[Request], now: float
) -> list[Outgoing]:
    """Edited items are a source of their own, which begins when somebody asks for it."""
    title, new, source = deliver.edits_title(feed.title), None, feed.edits
    if not source:
        source = _free_name(tx, f"edits {feed.title}", feed.url)
        feeds.tell_edits(tx, feed.id, source)
        new = deliver.new_source(source, title, backlog=0)
    return deliver.subscriptions(tools.names, source, wanting, new=new, now=now)


def _spool(tools: Tools, tx: Transaction, outgoing: list[Outgoing]) -> None:
    for each in outgoing:
        tools.spool(tx, each)
