"""What this room writes to people.

Law: an answer goes to a person who wrote, never to a machine, never with a return path of its own (RFC 3834 2, 3.3:
the null path, Auto-Submitted, In-Reply-To), so that two automata cannot keep each other busy.
"""

from __future__ import annotations

import hashlib

from directory.names import FabricNames
from ingest.feeds import DAY, Feed
from ingest.header_text import line_of, mail_date, unstructured
from ingest.post import part
from mail.envelope import Outgoing, Recipient
from mail.headers import header_line

MESSAGE_ID_CHARACTERS_MAX = 500

HELP = """\
Write the address of a feed, or of a page that has one, to {follow}
and its posts come to you as mail:

    https://example.org/feed.xml
    https://example.org/ folder=News

Up to {urls} addresses can stand in one mail, each on a line of its own, or one
in the Subject. Behind an address, or on a line of its own for all of them:

    folder=News         the posts go to a folder
    edits=yes           edited posts come too, as replies
    fulltext=yes        whole articles, where the feed has only their beginnings
    only=word           only posts with this word (or another one that is named so)
    without="two words" no posts with these words

These words at the beginning of a line do something else:

    follow NAME         follow somebody or something here, by name or address
    unfollow NAME       stop that; or unfollow and the address of a feed
    list                what do I follow?
    opml                the feeds of it, as a list for feed readers
    newsletter NAME     make an address to give to a newsletter
    drop NAME           take no more mail for that address
    help                see this text

A list of feeds (OPML) in a mail, attached or as its text, is followed whole.
"""

FOLLOWED = """\
You follow {title}.

Its address here is {address}
The newest posts come to {folder}, new ones as they appear. Others can follow it
by writing subscribe to that address.

To stop, write to {stop}

Asked for: {url}
"""

ENDED = """\
The site says that this feed is gone for good. It is looked after once a week;
should it come back, you will hear of it here.
"""

SILENT = """\
For {days} days this feed could not be read. The last try: {reason}.

It is tried once a week from now on; should it come back, you will hear of it here.
"""

BACK = """\
This feed can be read again, and is polled as before.
"""

WHERE = """
    {url}
"""

FAILED = """\
{url}
cannot be followed: {reason}.

Nothing was changed. Write the address again to try again.
"""


def help_text(names: FabricNames, urls_max: int) -> str:
    return HELP.format(follow=names.follow(), urls=urls_max)


def followed_text(names: FabricNames, *, source: str, title: str, folder: str, url: str) -> str:
    return FOLLOWED.format(
        title=line_of(title, 200),
        address=names.reflector(source),
        stop=names.reflector(source, "unsubscribe"),
        folder="your inbox" if folder.upper() == "INBOX" else f"the folder {folder}",
        url=url,
    )


def failed_text(failures: tuple[tuple[str, str], ...], left_out: int = 0) -> str:
    """Say of each address why it cannot be followed."""
    said = "\n".join(FAILED.format(url=line_of(url, 400), reason=reason) for url, reason in failures)
    more = (
        f"\n{left_out} more addresses stood in your mail than are read in one. Write them again.\n" if left_out else ""
    )
    return said + more


def stopped_words(feed: Feed, reason: str, standing: str, now: float) -> tuple[str, str]:
    """Say (subject, text) that a feed ended, or fell silent."""
    days = int((now - feed.failing_since) // DAY) if feed.failing_since else 0
    text = ENDED if standing == "ended" else SILENT.format(days=days, reason=reason)
    subject = f"{feed.title}: this feed {'has ended' if standing == 'ended' else 'cannot be read any more'}"
    return subject, text + WHERE.format(url=feed.url)


def back_words(feed: Feed) -> tuple[str, str]:
    return f"{feed.title}: this feed is back", BACK + WHERE.format(url=feed.url)


def answer(names: FabricNames, *, to: str, subject: str, text: str, about: str, now: float) -> Outgoing:
    """Write an answer to a person. `about`: the Message-ID of what she wrote, or ""."""
    about = about if about.isascii() and len(about) <= MESSAGE_ID_CHARACTERS_MAX and about.isprintable() else ""
    told = hashlib.blake2b(f"{to}\0{subject}\0{text}\0{about}\0{now}".encode("utf-8", "replace"), digest_size=12)
    lines = [
        ("From", f"Follow <{names.follow()}>"),
        ("To", to),
        ("Subject", unstructured(line_of(subject, 200))),
        ("Date", mail_date(now, now)),
        ("Message-ID", f"<{told.hexdigest()}.follow@{names.domain}>"),
        *([("In-Reply-To", about), ("References", about)] if about else []),
        ("Auto-Submitted", "auto-replied"),
        ("MIME-Version", "1.0"),
    ]
    head = b"".join(header_line(name, value) for name, value in lines)
    return Outgoing("", (Recipient(to),), head + part("text/plain", text))
