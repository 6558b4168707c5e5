"""What the command can do to mailboxes elsewhere.

Law: as in operations.py. A password comes here sealed, by the command, and is never told.
"""

from __future__ import annotations

from heliograph import exits
from heliograph.exits import CommandError
from heliograph.site import ROWS_MAX, Answer, Site, Source, check_source_here
from ingest.deliver import new_source, source_mail
from ingest.mailboxes import rows
from ingest.mailboxes.keeper import MAILBOXES_MAX
from ingest.mailboxes.look import BACKLOG
from ingest.mailboxes.place import BadPlace, place_of
from ingest.mailboxes.rows import Mailbox
from ingest.wish import folder_of
from mail.control import Control, Subscribe
from reflector.sources import find_source
from store import Transaction, events

Sealed = str  # in hex


def add_mailbox(
    tx: Transaction, site: Site, now: float, name: str, owner: str, url: str, title: str, folder: str, secret: Sealed
) -> Answer:
    """Look into a folder from now on; its owner follows what comes of it."""
    check_source_here(site, name)
    try:
        place = place_of(url)
    except BadPlace as error:
        raise CommandError(exits.DATA, f"{url}: {error}") from None
    known = find_source(tx, name)
    if known and known.owner != owner:
        raise CommandError(exits.CANTCREAT, f"{name}: is {known.owner}'s already: choose another name")
    if len(rows.looked_into(tx, MAILBOXES_MAX)) >= MAILBOXES_MAX:
        raise CommandError(exits.CANTCREAT, f"{site.host} looks into {MAILBOXES_MAX} mailboxes: remove one first")
    try:
        rows.add(tx, name, owner, title, place, bytes.fromhex(secret), now)
    except rows.Taken as taken:
        raise CommandError(exits.CANTCREAT, f"{taken} is read from a mailbox already: `mailbox show {taken}`") from None
    names = site.directory().names
    words: list[Control] = [
        new_source(name, title, BACKLOG, owner=owner),
        Subscribe(name, names.person(owner), folder_of(folder) or "INBOX"),
    ]
    site.dispatch(tx, source_mail(names, name, words, now), now)
    events.append(tx, now, "mailbox-added", source=name, owner=owner)
    tx.after_commit(site.poll)
    return {"host": site.host, "source": name, "address": names.reflector(name), "url": place.text}


def list_mailboxes(source: Source, site: Site, now: float, after: str = "") -> Answer:
    """A page of mailboxes, by the names of their sources."""
    found = rows.page(source, after, ROWS_MAX)
    return {"host": site.host, "mailboxes": [_shown(each) for each in found], "more": len(found) == ROWS_MAX}


def show_mailbox(source: Source, site: Site, now: float, name: str) -> Answer:
    """One mailbox; None where this host does not look into it."""
    found = rows.find(source, name)
    return {"host": site.host, "mailbox": _shown(found) if found else None}


def poll_mailbox(tx: Transaction, site: Site, now: float, name: str) -> Answer:
    """Look into it now."""
    found = rows.hurry(tx, name, now)
    tx.after_commit(site.poll)
    return {"host": site.host, "found": found}


def suspend_mailbox(tx: Transaction, site: Site, now: float, name: str) -> Answer:
    """Look into it no more, until it is resumed."""
    return _changed(tx, site, now, name, "mailbox-suspended", rows.suspend(tx, name))


def resume_mailbox(tx: Transaction, site: Site, now: float, name: str) -> Answer:
    """Look into a suspended one again."""
    return _changed(tx, site, now, name, "mailbox-resumed", rows.resume(tx, name, now))


def lock_mailbox(tx: Transaction, site: Site, now: float, name: str, secret: Sealed) -> Answer:
    """Keep another password."""
    return _changed(tx, site, now, name, "mailbox-password", rows.lock(tx, name, bytes.fromhex(secret), now))


def remove_mailbox(tx: Transaction, site: Site, now: float, name: str) -> Answer:
    """Look into it no more, and forget its password. Its source stays its owner's, with its followers."""
    return _changed(tx, site, now, name, "mailbox-removed", rows.remove(tx, name))


def _changed(tx: Transaction, site: Site, now: float, name: str, event: str, found: bool) -> Answer:
    if found:
        events.append(tx, now, event, source=name)
        tx.after_commit(site.poll)
    return {"host": site.host, "found": found}


def _shown(each: Mailbox) -> Answer:
    return {
        "source": each.source,
        "title": each.title,
        "owner": each.owner,
        "url": each.place.text,
        "standing": each.standing,
        "next_due": each.next_due,
        "errors": each.errors,
        "last_at": each.last_at,
        "last_answer": each.last_answer,
        "last_post_at": each.last_post_at,
        "uidvalidity": each.validity,
        "next_uid": each.next_uid,
    }
