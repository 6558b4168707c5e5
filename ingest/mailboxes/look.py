"""One look into a folder: from where on it is read, and each message a transaction.

Law: a message is posted, known, and passed in one transaction, so that a crash anywhere posts none twice and leaves
none out. Numbers count only under the UIDVALIDITY that they were given under (RFC 3501 2.3.1.1); when it changes, what
came lately is read once more, and what is known by its octets is not posted again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from directory.names import FabricNames
from ingest.mailboxes import rows
from ingest.mailboxes.client import Client
from ingest.mailboxes.message import as_post, instead, key_of
from ingest.mailboxes.rows import Mailbox
from ingest.mailboxes.said import Folder, No
from ingest.mailboxes.wire import Broken, TooLarge
from mail.envelope import Outgoing
from mail.headers import Headers
from store import Store, Transaction

log = logging.getLogger("ingest.mailboxes")

BACKLOG = 3  # of the newest messages of a new mailbox: as of feeds
MESSAGES_MAX = 50  # of one look; what is beyond comes with the next, at once
UIDS_ASKED_MAX = 10_000  # in one question: its answer is one line
QUESTIONS_MAX = 20  # of one look: a server's numbers may have gaps of millions
AGAIN_MAX = 500  # messages read once more when a folder was numbered anew
AGAIN_DAYS = 2  # before the last good look: clocks differ, and zones
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # RFC 3501 9
PATIENCE = 3  # looks that one message may spoil before it is told of and passed


class Gone(Exception):
    """The mailbox is another host's now, or nobody's."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a look needs of its surroundings."""

    store: Store
    spool: Callable[[Transaction, Outgoing], None]
    names: Callable[[], FabricNames]
    clock: Callable[[], float]
    octets_max: int


async def look(needs: Needs, client: Client, mailbox: Mailbox) -> tuple[int, bool]:
    """Read what is new; return how much that was, and whether there is more. Raise No, Broken, Gone."""
    folder = await client.examine(mailbox.place.folder)
    if not folder.validity:
        raise Broken("the server gives its messages no lasting numbers")
    first, last = await _begun(needs, client, mailbox, folder)
    uids, after = await _found(client, first, last)
    now, later = uids[:MESSAGES_MAX], uids[MESSAGES_MAX:]
    sizes = await client.sizes(now) if now else {}
    posted = 0
    for uid in now:
        posted += await _take(needs, client, mailbox, uid, sizes.get(uid, -1))
    if not later and after > first:
        await needs.store.write(lambda tx: _must(rows.passed(tx, mailbox.source, after)))
    return posted, bool(later) or after <= last or client.has_news


async def _begun(needs: Needs, client: Client, mailbox: Mailbox, folder: Folder) -> tuple[int, int]:
    """Return the first number to be read, and the last there is."""
    asks = folder.exists and not (folder.next_uid and mailbox.validity)  # else nothing hangs on it
    newest = await client.newest(folder.exists, BACKLOG) if asks else []
    after = folder.next_uid or (newest[-1] + 1 if newest else mailbox.next_uid or 1)
    if folder.validity == mailbox.validity:
        return mailbox.next_uid, after - 1
    again = await _read_again(client, mailbox) if mailbox.validity and folder.exists else []
    first = min(again if mailbox.validity else newest, default=after)
    await needs.store.write(lambda tx: _must(rows.begin(tx, mailbox.source, folder.validity, first)))
    return first, after - 1


async def _read_again(client: Client, mailbox: Mailbox) -> list[int]:
    """Return which messages of a folder that was numbered anew may be new: what came since the last good look, and not
    before we began."""
    since = datetime.fromtimestamp(max(mailbox.read_at, mailbox.created_at) - AGAIN_DAYS * 86_400, UTC)
    uids = (await client.uids_since(f"{since.day}-{MONTHS[since.month - 1]}-{since.year}"))[-AGAIN_MAX:]
    came = await client.arrivals(uids) if uids else {}
    return [uid for uid in uids if came.get(uid, 0.0) >= mailbox.created_at]


async def _found(client: Client, first: int, last: int) -> tuple[list[int], int]:
    """Return the next numbers that there are, and the first that was not asked for."""
    for _ in range(QUESTIONS_MAX):
        if first > last:
            break
        asked = min(last, first + UIDS_ASKED_MAX - 1)
        found = await client.uids(first, asked)
        first = asked + 1
        if found:
            return found, first
    return [], first


async def _take(needs: Needs, client: Client, mailbox: Mailbox, uid: int, octets: int) -> int:
    """Post one message, and pass it; return how many posts that made."""
    if octets < 0:  # it was taken away meanwhile
        await needs.store.write(lambda tx: _must(rows.passed(tx, mailbox.source, uid + 1)))
        return 0
    if octets > needs.octets_max:
        return await _tell(needs, client, mailbox, uid, f"it has {octets:,} octets, over {needs.octets_max:,}")
    try:
        content = await client.message(uid, needs.octets_max)
    except TooLarge:  # the connection cannot go on, and would end here each time
        await _write(needs, mailbox, uid, b"", _instead(needs, mailbox, b"", "it is larger than its server says"))
        raise
    except No as no:
        if mailbox.errors < PATIENCE:
            raise Broken(f"the server does not give message {uid}: {no}") from None
        return await _tell(needs, client, mailbox, uid, f"its server says: {no}")
    if content is None:
        return await _write(needs, mailbox, uid, b"", None)
    return await _write(needs, mailbox, uid, key_of(content), _post(needs, mailbox, content))


async def _tell(needs: Needs, client: Client, mailbox: Mailbox, uid: int, reason: str) -> int:
    """Tell of a message, and pass it."""
    try:
        header = await client.header(uid)
    except No:
        header = b""
    except TooLarge:
        await _write(needs, mailbox, uid, b"", _instead(needs, mailbox, b"", reason))
        raise
    return await _write(needs, mailbox, uid, key_of(header + reason.encode()), _instead(needs, mailbox, header, reason))


def _post(needs: Needs, mailbox: Mailbox, content: bytes) -> Outgoing | None:
    try:
        return as_post(content, needs.names(), mailbox, needs.clock())
    except Exception:  # a fault of ours in one message must not stop all behind it
        log.exception("a message of %s cannot be posted", mailbox.source)
        return _instead(needs, mailbox, content[:4_096], "an error of this host; its operator finds it in the log")


def _instead(needs: Needs, mailbox: Mailbox, header: bytes, reason: str) -> Outgoing:
    return instead(Headers.parse(header), reason, needs.names(), mailbox, needs.clock())


async def _write(needs: Needs, mailbox: Mailbox, uid: int, key: bytes, post: Outgoing | None) -> int:
    """The one transaction of a message. `key`: empty where nothing of it is known but its number."""
    key = key or f"message {uid}".encode()

    def settle(tx: Transaction) -> int:
        _must(rows.passed(tx, mailbox.source, uid + 1))
        if post is None or not rows.is_new(tx, mailbox.source, key, needs.clock()):
            return 0
        needs.spool(tx, post)
        return 1

    return await needs.store.write(settle)


def _must(there: bool) -> None:
    if not there:
        raise Gone
