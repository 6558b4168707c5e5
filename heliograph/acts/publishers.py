"""What the command can do to applications and to the addresses of newsletters.

Law: as in operations.py. A token is made by the command and never comes here: its fingerprint does.
"""

from __future__ import annotations

from dataclasses import asdict

from heliograph import exits
from heliograph.acts.source_word import source_word
from heliograph.exits import CommandError
from heliograph.site import ROWS_MAX, Answer, Site, Source, check_account, check_source_here
from ingest import applications, news_room, newsletters
from ingest.applications import Application
from ingest.newsletters import Newsletter
from mail.address import is_entity
from mail.control import CreateSource
from reflector.sources import find_source
from store import Transaction, events

TITLE_CHARACTERS_MAX = 100
Fingerprint = str  # in hex


def add_application(
    tx: Transaction, site: Site, now: float, name: str, owner: str, title: str, token: Fingerprint
) -> Answer:
    """Let there be a source, and a program that posts to it."""
    check_source_here(site, name)
    known = find_source(tx, name)
    if not is_entity(owner) or owner == name:
        raise CommandError(exits.DATA, f"{owner!r}: is no person: an application is answered for by an account")
    if known and known.owner != owner:
        raise CommandError(exits.CANTCREAT, f"{name}: is {known.owner}'s already: choose another name")
    shown = " ".join(title.split())[:TITLE_CHARACTERS_MAX]
    try:
        applications.add(tx, Application(name, owner, shown), bytes.fromhex(token), now)
    except applications.Taken:
        raise CommandError(
            exits.CANTCREAT, f"{name}: is an application already: `app rotate` makes a new token"
        ) from None
    site.dispatch(tx, source_word(site, name, CreateSource(name, owner, shown), now), now)
    events.append(tx, now, "application-added", application=name, owner=owner)
    return {"application": name, "host": site.host, "owner": owner}


def rotate_application(tx: Transaction, site: Site, now: float, name: str, token: Fingerprint) -> Answer:
    """Give an application a new token; the old one opens nothing from this moment on."""
    if not applications.rotate(tx, name, bytes.fromhex(token), now):
        raise _unknown(site, name)
    events.append(tx, now, "application-rotated", application=name)
    return {"application": name, "host": site.host}


def revoke_application(tx: Transaction, site: Site, now: float, name: str) -> Answer:
    """Take an application's token back. Its source stays its owner's, with its followers."""
    if not applications.revoke(tx, name):
        raise _unknown(site, name)
    events.append(tx, now, "application-revoked", application=name)
    return {"application": name, "host": site.host}


def list_applications(source: Source, site: Site, now: float, after: str = "") -> Answer:
    """A page of applications, by name."""
    rows = applications.page(source, after, ROWS_MAX)
    return {"host": site.host, "applications": [asdict(row) for row in rows], "more": len(rows) == ROWS_MAX}


def add_newsletter(
    tx: Transaction, site: Site, now: float, account: str, name: str, token: str, folder: str = ""
) -> Answer:
    """Make an address that an account gives to a newsletter; where it has one of this name, show that."""
    check_account(tx, site, account)
    known = newsletters.by_name(tx, account, name) or newsletters.new(token, account, name, folder, now)
    try:
        site.dispatch(tx, news_room.begin(tx, site.directory(), known, now), now)
    except newsletters.TooMany:
        text = f"{account}: has {newsletters.NEWSLETTERS_MAX} such addresses: drop one first"
        raise CommandError(exits.CANTCREAT, text) from None
    events.append(tx, now, "newsletter-added", account=account, source=known.source)
    return {"host": site.host, **_shown(site, known)}


def drop_newsletter(tx: Transaction, site: Site, now: float, account: str, name: str) -> Answer:
    """Take no more mail for an address."""
    known = newsletters.by_name(tx, account, name)
    if known is None:
        raise CommandError(exits.NOUSER, f"{name}: is no newsletter of {account}: see `newsletter list`")
    newsletters.drop(tx, known)
    events.append(tx, now, "newsletter-dropped", account=account, source=known.source)
    return {"host": site.host, **_shown(site, known)}


def list_newsletters(source: Source, site: Site, now: float, after: str = "") -> Answer:
    """A page of addresses, by the names of their sources."""
    rows = newsletters.page(source, after, ROWS_MAX)
    return {"host": site.host, "newsletters": [_shown(site, row) for row in rows], "more": len(rows) == ROWS_MAX}


def _shown(site: Site, row: Newsletter) -> Answer:
    address = f"{row.account}+{row.detail}@{site.directory().names.domain}"
    told = {"account": row.account, "name": row.name, "address": address, "source": row.source}
    return {**told, "folder": row.folder, "last_at": row.last_at}


def _unknown(site: Site, name: str) -> CommandError:
    return CommandError(exits.NOUSER, f"{name}: is no application at {site.host}: see `app list`")
