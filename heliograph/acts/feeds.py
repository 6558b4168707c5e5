"""What the command can do to feeds.

Law: as in operations.py. What is imported is asked for as if its follower had mailed it, without a welcome for each.
"""

from __future__ import annotations

from dataclasses import asdict

from heliograph import exits
from heliograph.exits import CommandError
from heliograph.site import ROWS_MAX, Answer, Site, Source, check_account
from ingest import listing
from ingest.passing_on import IMPORTED, request_mail
from ingest.urls import BadUrl, canonical
from ingest.why import hub_words, why_due
from ingest.wish import folder_of
from mail.control import FollowFeed
from mailbox_host.follows import follows
from store import Reader, Transaction, events


def list_feeds(reader: Reader, site: Site, now: float, after: str = "") -> Answer:
    """A page of the feeds that this host polls, by the names of their sources."""
    rows = [_shown(row) for row in listing.feed_list(reader, after, ROWS_MAX)]
    return {"host": site.host, "feeds": rows, "more": len(rows) == ROWS_MAX}


def show_feed(reader: Reader, site: Site, now: float, feed: str) -> Answer:
    """One feed, by its source's name or its URL; None where this host does not poll it."""
    row = listing.feed_show(reader, feed)
    if row is None:
        return {"host": site.host, "feed": None}
    hub = listing.hub_of(reader, row.source)
    told = {"hub": hub_words(hub, now), "push": asdict(hub) if hub else None}
    return {"host": site.host, "feed": _shown(row) | told}


def poll_feed(tx: Transaction, site: Site, now: float, feed: str) -> Answer:
    """Poll a feed now."""
    found = listing.feed_poll(tx, feed, now)
    tx.after_commit(site.poll)
    return {"host": site.host, "found": found}


def suspend_feed(tx: Transaction, site: Site, now: float, feed: str) -> Answer:
    """Poll a feed no more, whoever follows it."""
    found = listing.feed_suspend(tx, feed)
    if found:
        events.append(tx, now, "feed-suspended", feed=feed)
    return {"host": site.host, "found": found}


def resume_feed(tx: Transaction, site: Site, now: float, feed: str) -> Answer:
    """Poll a feed that was suspended, from now on."""
    found = listing.feed_resume(tx, feed, now)
    if found:
        events.append(tx, now, "feed-resumed", feed=feed)
        tx.after_commit(site.poll)
    return {"host": site.host, "found": found}


def articles_of_feed(tx: Transaction, site: Site, now: float, feed: str, wanted: bool) -> Answer:
    """Post a feed's whole articles from now on, or what the feed has of them."""
    found = listing.feed_articles(tx, feed, wanted)
    if found:
        events.append(tx, now, "feed-fulltext", feed=feed, wanted=wanted)
    return {"host": site.host, "found": found}


def import_feeds(tx: Transaction, site: Site, now: float, name: str, rows: list[list[str]]) -> Answer:
    """Let an account follow feeds: (address, folder) each. Once more changes nothing but folders."""
    check_account(tx, site, name)
    if len(rows) > ROWS_MAX:
        raise CommandError(exits.USAGE, f"{len(rows)} rows: at most {ROWS_MAX} at a time")
    names, bad = site.directory().names, []
    for said, folder in rows:
        try:
            url = canonical(said)
        except BadUrl as error:
            bad.append({"url": said[:400], "reason": str(error)})
            continue
        wanted = FollowFeed(url.text, names.person(name), folder_of(folder) or "INBOX")
        mail = request_mail(names, names.bucket(url.domain), "Follow a feed", [wanted], asked_by=IMPORTED)
        site.dispatch(tx, mail, now)
    events.append(tx, now, "feeds-imported", account=name, count=len(rows) - len(bad))
    return {"account": name, "host": site.host, "asked": len(rows) - len(bad), "bad": bad}


def followed(source: Source, site: Site, now: float, name: str) -> Answer:
    """What an account follows, and where it goes."""
    check_account(source, site, name)
    found = {each.source: each.folder for each in follows(source, name) if each.is_open}
    return {"account": name, "host": site.host, "follows": found}


def _shown(row: listing.FeedLine) -> Answer:
    return {**asdict(row), "why": why_due(row)}
