"""What a poll leaves behind, written down: one transaction for each way that it can end.

Law: posts, what was seen, validators and the next due time are one transaction. Followers are told once when a feed
ended or fell silent, and once when it is back, in the transaction that remembers it.
"""

from __future__ import annotations

from collections.abc import Callable

from ingest import deliver, feeds, moved, push
from ingest.counting import ASLEEP_SECONDS, ask, asked, question
from ingest.feeds import Feed, Polled
from ingest.fetched import Failed, Fetched, Unchanged
from ingest.found import Found
from ingest.handing_on import offer, offer_again
from ingest.resting import rest
from ingest.schedule import SILENT_SECONDS, backed_off, expected_gap, interval, not_skipped, seldom
from ingest.tools import Tools
from ingest.urls import BadUrl, canonical
from mail.envelope import Outgoing
from store import Transaction

ELSEWHERE_SECONDS = 300.0  # another host polls it; look again whether that is still so
LEFT_SECONDS = 60.0  # so soon comes the rest of what one poll may not post at once


async def write_failure(tools: Tools, feed: Feed, failed: Failed) -> None:
    """Remember that a poll brought nothing, and wait longer."""
    now = tools.clock()
    standing = standing_after(feed, failed, now)
    wait = backed_off(feed.errors + 1, failed.retry_after, tools.room.settings, tools.chance())
    due = now + (max(failed.retry_after, seldom(tools.chance())) if standing else wait)

    def settle(tx: Transaction) -> None:
        if standing != feed.standing:
            tools.spool(tx, deliver.stopped(tools.names, feed, failed, standing, now))
        feeds.store_failure(tx, feed.id, said=failed.reason, at=now, next_due=due, standing=standing)
        if failed.busy:
            until = now + max(failed.retry_after, tools.room.settings.poll_seconds_min)
            rest(tx, feed.domain, until=until, now=now)

    await _write(tools, feed, settle)


def standing_after(feed: Feed, failed: Failed, now: float) -> str:
    """Tell what a feed is after one more failure: "" while there is hope."""
    if failed.gone or feed.standing == "ended":
        return "ended"
    lasting = feed.failing_since and now - feed.failing_since >= SILENT_SECONDS
    return "silent" if lasting or feed.standing == "silent" else ""


async def write_elsewhere(tools: Tools, feed: Feed) -> None:
    """Another host polls it now."""
    until = tools.clock() + ELSEWHERE_SECONDS
    sql = "UPDATE feed SET next_due = max(next_due, ?) WHERE id = ?"  # it may have been suspended meanwhile
    await _write(tools, feed, lambda tx: tx.execute(sql, (until, feed.id)))


async def write_asleep(tools: Tools, feed: Feed) -> None:
    """Nobody follows it, as far as is known: ask, and poll nothing."""
    now = tools.clock()

    def settle(tx: Transaction) -> None:
        sleeps = "UPDATE feed SET next_due = ? WHERE id = ? AND standing = 'asleep'"
        if tx.execute(sleeps, (now + ASLEEP_SECONDS, feed.id)).rowcount:  # nobody came since it was found due
            tools.spool(tx, ask(tools.names, feed, now))
            asked(tx, feed, now)

    await _write(tools, feed, settle)


async def write_leaving(tools: Tools, feed: Feed) -> None:
    """It was offered to another host, which has not answered."""
    now = tools.clock()

    def settle(tx: Transaction) -> None:
        for each in offer_again(tx, tools.names, feed, now):
            tools.spool(tx, each)

    await _write(tools, feed, settle)


async def write_unchanged(tools: Tools, feed: Feed, answer: Fetched | Unchanged, said: str) -> None:
    """There is nothing new: not even the document was read."""
    now = tools.clock()
    due = next_due(tools, feed, now, gap=feed.gap, floor=max(feed.floor, answer.max_age), skip=feed.skip)
    known = answer.validators if isinstance(answer, Fetched) else feed.validators  # the same octets may be called anew
    polled = Polled(known, feed.digest, feed.title, feed.gap, said, now, due, feed.floor, feed.skip)

    def settle(tx: Transaction) -> None:
        _write_polled(tools, tx, feed, polled, answer.lasting)

    await _write(tools, feed, settle)


async def write_found(tools: Tools, feed: Feed, found: Found) -> None:
    """Post what is new."""
    now = tools.clock()
    posts, polled = found.posts(tools, feed, now), polled_now(tools, found, feed, now)

    def settle(tx: Transaction) -> None:
        for each in (*_new_name(tools, feed, polled), *posts):
            tools.spool(tx, each)
        feeds.remember(tx, feed.id, found.verdict.mark, found.before)
        listen(tools, tx, feed.id, found, now)
        _write_polled(tools, tx, feed, polled, found.fetched.lasting)

    await _write(tools, feed, settle)


async def _write(tools: Tools, feed: Feed, settle: Callable[[Transaction], object]) -> None:
    """Its bucket may have moved meanwhile, or the feed by itself: then nothing is written, for who has it posts the
    same items, and its number may be another's."""

    def checked(tx: Transaction) -> None:
        there = feeds.by_source(tx, feed.source)
        if there and there.id == feed.id:
            settle(tx)

    await tools.store.write(checked)


def _new_name(tools: Tools, feed: Feed, polled: Polled) -> list[Outgoing]:
    if polled.title == feed.title:
        return []
    return deliver.retitled(tools.names, feed, polled.title, backlog=tools.room.settings.backlog, now=polled.at)


def listen(tools: Tools, tx: Transaction, feed: int, found: Found, now: float) -> None:
    """Note the hub that a document names, where hubs can reach us, and weigh it by what this poll found."""
    if tools.room.settings.push_url:
        push.heard(tx, feed, *found.push, now=now, octets=tools.octets)
        push.polled(tx, feed, found_news=bool(found.verdict.send))


def polled_now(tools: Tools, found: Found, feed: Feed, now: float) -> Polled:
    """Return what the feed's row says from now on. As long as items are left, it says the old."""
    verdict, fetched = found.verdict, found.fetched
    due = next_due(tools, feed, now, gap=found.gap, floor=max(found.floor, fetched.max_age), skip=found.skip)
    validators, digest = fetched.validators, found.digest
    if verdict.left:
        due = min(due, now + LEFT_SECONDS)
        validators, digest = feed.validators, feed.digest
    said = f"200, {len(verdict.send)} new" if verdict.send else "200, nothing new"
    posted = bool(verdict.send) and not verdict.left  # what is left must not look older than what was posted
    # A new title counts from the next post on, so that From and List-Id agree, and one that flaps costs nothing.
    title = found.title if verdict.send else feed.title
    return Polled(validators, digest, title, found.gap, said, now, due, found.floor, found.skip, posted)


def next_due(tools: Tools, feed: Feed, now: float, *, gap: float, floor: float, skip: int) -> float:
    """Return when a feed is polled again after an answer."""
    wait = interval(
        gap=expected_gap(gap, feed.quiet(now)),
        floor=floor,
        age=now - feed.created_at,
        settings=tools.room.settings,
        chance=tools.chance(),
        followers=feed.followers,
    )
    if tools.room.settings.push_url and push.is_proven(tools.store.reader, feed.id, now):
        wait = max(wait, push.BACKUP_SECONDS)
    return not_skipped(now + wait, skip)


def _write_polled(tools: Tools, tx: Transaction, feed: Feed, polled: Polled, lasting: str) -> None:
    if feed.standing in ("silent", "ended"):
        tools.spool(tx, deliver.back_again(tools.names, feed, polled.at))
    for each in question(tools.names, feed, polled.at):
        tools.spool(tx, each)
        asked(tx, feed, polled.at)
    feeds.store_poll(tx, feed.id, polled)
    _heed_redirect(tools, tx, feed, lasting, polled.at)


def _heed_redirect(tools: Tools, tx: Transaction, feed: Feed, lasting: str, now: float) -> None:
    """Believe a permanent redirect in time, if this host polls there too and has no other feed at that place."""
    if lasting in ("", feed.url):
        moved.not_redirected(tx, feed.id)
        return
    try:
        there = canonical(lasting)
    except BadUrl:
        return
    if moved.redirected(tx, feed.id, there.text, now):
        known = feeds.by_url(tx, there.text)
        bucket = tools.room.bucket_of(there.text)
        ours = tools.room.polls(bucket)
        if ours and (known is None or known.id == feed.id):
            moved.settle_at(tx, feed, there, bucket)
        elif not ours:
            tools.spool(tx, offer(tx, tools.names, feed, there, now))
