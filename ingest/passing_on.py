"""What this room tells the host that polls for a bucket.

Law: pure. It goes as control mail, signed; to this very host it goes the same way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from directory.names import FabricNames
from ingest.header_text import mail_date
from mail.control import Followers, FollowFeed, Sift, UnfollowFeed, add_controls
from mail.envelope import Outgoing, Recipient
from mail.feed_control import GatherFeeds, OwnerGone, TakeFeed, TookFeed
from mail.headers import header_line

DIRECT = "Heliograph-Direct"  # on a passed-on request: its address was looked for already
IMPORTED = "<import@follow>"  # instead of a Message-ID: who asked sees what it came to, and is welcomed by nobody
Word = FollowFeed | UnfollowFeed | Followers | GatherFeeds | TakeFeed | TookFeed | OwnerGone | Sift  # of another host


def request_mail(
    names: FabricNames, bucket: int, subject: str, words: Sequence[Word], *, asked_by: str, direct: bool = False
) -> Outgoing:
    """Write to the host that polls for a bucket. `asked_by`: the Message-ID of what asked, or ""."""
    lines = [
        ("From", f"Follow <{names.follow()}>"),
        ("To", names.follow(bucket)),
        ("Subject", subject),
        ("Auto-Submitted", "auto-generated"),
        *([("In-Reply-To", asked_by)] if asked_by else []),
        *([(DIRECT, "yes")] if direct else []),
    ]
    head = b"".join(header_line(field, value) for field, value in lines)
    return Outgoing("", (Recipient(names.follow(bucket)),), add_controls(head + b"\r\n", *words), signed=True)


def letter_to_host(
    names: FabricNames,
    bucket: int,
    subject: str,
    word: TakeFeed | TookFeed | GatherFeeds,
    body: bytes,
    seed: str,
    now: float,
) -> Outgoing:
    """Write more to it than a word has room for. `seed`: what tells this letter from all others."""
    to = names.follow(bucket)
    name = hashlib.blake2b(seed.encode("utf-8", "replace"), digest_size=12).hexdigest()
    fields = [
        ("From", f"Follow <{names.follow()}>"),
        ("To", to),
        ("Subject", subject),
        ("Date", mail_date(now, now)),
        ("Message-ID", f"<{name}.follow@{names.domain}>"),
        ("Auto-Submitted", "auto-generated"),
    ]
    head = b"".join(header_line(*field) for field in fields)
    return Outgoing("", (Recipient(to),), add_controls(head + b"\r\n" + body, word), signed=True)
