"""What somebody follows, told to her by mail.

Law: made of her own `follow` rows, by the host that has them, and filed as a letter of hers.
"""

from __future__ import annotations

import hashlib
from email.utils import formatdate

from directory.names import FabricNames
from directory.snapshot import Directory
from mail.control import TellFollows, add_controls
from mail.envelope import Outgoing, Recipient
from mail.feed_control import GatherFeeds
from mail.gathering import FEEDS_MAX, Gathered, written
from mail.headers import header_line
from mailbox_host.folder_names import INBOX
from mailbox_host.folders import find_folder
from mailbox_host.follows import follows
from mailbox_host.refiling import append
from mailbox_host.sifting import sifts_of
from store import Transaction

SHOWN_MAX = 2_000  # a mail of some 200 KB

NOTHING = """\
You follow nothing yet. Write the address of a feed, or of a page that has one, to
{follow}.
"""
END = """
To stop, write unfollow and a name to {follow}; to read posts
elsewhere, follow NAME folder=FOLDER.
"""


def answer_follows(
    tx: Transaction, directory: Directory, account: str, asked: TellFollows, now: float
) -> list[Outgoing]:
    """Tell her at once, or let the hosts be asked which of it are feeds."""
    if asked.feeds:
        return [gather_feeds(tx, directory, account, asked, now)]
    tell_follows(tx, directory.names, account, asked, now)
    return []


def gather_feeds(tx: Transaction, directory: Directory, account: str, asked: TellFollows, now: float) -> Outgoing:
    """Ask the hosts which of her sources are feeds; the last one that is asked answers her."""
    names = directory.names
    owned = {directory.owner("reflectors", bucket): bucket for bucket in range(names.buckets)}
    first, *others = sorted(owned)
    sources = sorted((each.source, each.folder) for each in follows(tx, account) if each.is_open)
    to = names.follow(owned[first])
    seed = f"{account} {asked.about} {now}".encode("utf-8", "replace")
    fields = [
        ("From", f"Follow <{names.follow()}>"),
        ("To", to),
        ("Subject", "Which feeds are these?"),
        ("Date", formatdate(now)),
        ("Message-ID", f"<{hashlib.blake2b(seed, digest_size=12).hexdigest()}.feeds@{names.domain}>"),
        ("Auto-Submitted", "auto-generated"),
    ]
    head = b"".join(header_line(*field) for field in fields)
    letter = head + b"\r\n" + written(Gathered(tuple(sources[:FEEDS_MAX]), tuple(others)))
    control = GatherFeeds(account, asked.about[:250])
    return Outgoing("", (Recipient(to),), add_controls(letter, control), signed=True)


def tell_follows(tx: Transaction, names: FabricNames, account: str, asked: TellFollows, now: float) -> None:
    """Write the letter."""
    inbox = find_folder(tx, account, INBOX)
    assert inbox is not None
    text = _text(tx, names, account)
    seed = f"{account} {asked.about} {now} {text}".encode()
    about = asked.about if asked.about.startswith("<") and asked.about.isascii() and asked.about.isprintable() else ""
    fields = [
        ("From", f"Follow <{names.follow()}>"),
        ("To", names.person(account)),
        ("Subject", "What you follow"),
        ("Date", formatdate(now)),
        ("Message-ID", f"<{hashlib.blake2b(seed, digest_size=12).hexdigest()}.follow@{names.domain}>"),
        *([("In-Reply-To", about), ("References", about)] if about else []),
        ("Auto-Submitted", "auto-replied"),  # RFC 3834 3.1.7
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Transfer-Encoding", "8bit"),
    ]
    head = b"".join(header_line(*field) for field in fields)
    append(tx, account, inbox.id, head + b"\r\n" + text.replace("\n", "\r\n").encode(), 0, frozenset(), now)


def _text(tx: Transaction, names: FabricNames, account: str) -> str:
    """A line per source, where it goes, and what of it."""
    found = {each.source: each.folder for each in follows(tx, account) if each.is_open}
    if not found:
        return NOTHING.format(follow=names.follow())
    sifts = sifts_of(tx, account)
    lines = [f"You follow {len(found)} source{'s' if len(found) > 1 else ''}:", ""]
    for source, folder in sorted(found.items())[:SHOWN_MAX]:
        lines.append(f"  {source:<30}  in {'your inbox' if folder == INBOX else folder}")
        only, without = sifts.get(source, ("", ""))
        lines += [f"      only {', '.join(only.splitlines())}"] if only else []
        lines += [f"      without {', '.join(without.splitlines())}"] if without else []
    if len(found) > SHOWN_MAX:
        lines.append(f"  and {len(found) - SHOWN_MAX} more")
    return "\n".join([*lines, END.format(follow=names.follow())])
