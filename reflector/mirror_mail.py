"""What a mirror writes: its wishes, to its upstream; and to its followers, when there is something they should know.

Law: a wish says everything in fields that our domain's seal covers. It is a machine's mail and says so: nobody answers
it who does not know what it is.
"""

from __future__ import annotations

from email.utils import formataddr, formatdate

from mail.between_fabrics import FIELD, Word
from mail.envelope import Outgoing, Recipient
from mail.headers import header_line
from reflector.expansion import expand
from reflector.letter import House
from reflector.list_headers import stamp_post
from reflector.mirrors import Mirror, way_back
from reflector.sources import find_source, take_number
from reflector.tree_mail import Mails
from store import Transaction, events

WISH_TEXT = """\
The fabric of {here} {what} {person} for its own users,
who read the posts from one copy. This is its list there: {list_}.
A fabric of Heliograph's understands this mail; nobody needs to answer it.
"""


def wish(house: House, mirror: Mirror, word: str, now: float) -> Outgoing:
    """Ask the upstream for its posts, or for no more."""
    names, own = house.names, house.names.reflector(mirror.list)
    what = "follows" if word == "subscribe" else "no longer follows"
    fields = [
        ("From", own),
        ("To", mirror.upstream(word)),
        ("Subject", word),
        ("Date", formatdate(now)),
        ("Message-ID", f"<{mirror.wish}.{mirror.list}@reflectors.{names.domain}>"),
        (FIELD, str(Word(word, mirror.wish))),
        ("Auto-Submitted", "auto-generated"),  # RFC 3834 5
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=us-ascii"),
    ]
    text = WISH_TEXT.format(here=names.domain, what=what, person=mirror.person, list_=own).replace("\n", "\r\n")
    content = b"".join(header_line(*field) for field in fields) + b"\r\n" + text.encode()
    return Outgoing(way_back(house, mirror), (Recipient(mirror.upstream(word)),), content)


def notice(house: House, tx: Transaction, mirror: Mirror, reason: str, now: float) -> Mails:
    """Tell all followers here, as a post of the mirror's own."""
    source = find_source(tx, mirror.list)
    if source is None:
        return ()
    names, post = house.names, take_number(tx, mirror.list)
    fields = [
        ("From", formataddr((mirror.person, names.reflector(mirror.list, "help")))),
        ("To", names.reflector(mirror.list)),
        ("Subject", f"No posts of {mirror.person} for now"),
        ("Auto-Submitted", "auto-generated"),
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=utf-8"),
    ]
    text = (
        f"You follow {mirror.person}, whose posts come from {mirror.fabric}.\r\n{reason}\r\n\r\n"
        "You need not do anything: it is tried again from time to time. To stop, write to\r\n"
        f"{names.reflector(mirror.list, 'unsubscribe')}.\r\n"
    )
    content = b"".join(header_line(*field) for field in fields) + b"\r\n" + text.encode()
    stamped = stamp_post(names, source, post, content, envid=f"{mirror.wish}.{post}", now=now, hops=0)
    events.append(tx, now, "mirror-notice", source=mirror.list, reason=reason)
    return (expand(house, tx, mirror.list, post, stamped),)
