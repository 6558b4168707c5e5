"""What the command can do to a host, each as a function of the host's database and directory.

Law: an operation does its work in one transaction and returns plain values (JSON); it runs the same in the running
host, asked through its control socket, and in the command itself while the host is down. What cannot be done is a
CommandError that says what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict

from directory.names import Timeline
from heliograph import exits
from heliograph.acts import feeds, footers, keeping, mailboxes, publishers, trees
from heliograph.acts.source_word import source_word
from heliograph.exits import CommandError
from heliograph.federation import mirrors
from heliograph.location import NAMES_RULE, locate
from heliograph.site import ROWS_MAX, Answer, Site, Source, check_account
from ingest import newsletters, owners
from mail.address import is_entity
from mail.control import CreateSource, RemoveSource
from mailbox_host import accounts, leaves, passing
from spool import listing as queue_listing
from store import Transaction, events

__all__ = ["READS", "WRITES", "Answer", "Site"]


def add_account(tx: Transaction, site: Site, now: float, name: str, hash: str, title: str = "") -> Answer:
    """Make an account and tell its reflector."""
    _check_here(site, name)
    try:
        accounts.add(tx, name, hash, now)
    except accounts.AccountExists:
        raise CommandError(exits.CANTCREAT, f"{name}: has an account already: `account passwd` changes it") from None
    site.dispatch(tx, source_word(site, name, CreateSource(name, name, title), now), now)
    events.append(tx, now, "account-added", account=name)
    return {"account": name, "host": site.host}


def import_accounts(tx: Transaction, site: Site, now: float, rows: list[list[str]]) -> Answer:
    """Make many accounts with hashed passwords; those that are there already are left as they are."""
    if len(rows) > ROWS_MAX:
        raise CommandError(exits.USAGE, f"{len(rows)} rows: at most {ROWS_MAX} at a time")
    fresh = [(name, hashed) for name, hashed in rows if not accounts.exists(tx, name)]
    for name, _ in fresh:
        _check_here(site, name)
    accounts.add_many(tx, fresh, now)
    for name, _ in fresh:
        site.dispatch(tx, source_word(site, name, CreateSource(name, name), now), now)
    events.append(tx, now, "accounts-imported", count=len(fresh))
    return {"added": len(fresh), "present": len(rows) - len(fresh)}


def set_password(tx: Transaction, site: Site, now: float, name: str, hash: str) -> Answer:
    """Change an account's password."""
    check_account(tx, site, name)
    accounts.set_password(tx, name, hash)
    events.append(tx, now, "password-set", account=name)
    return {"account": name, "host": site.host}


def remove_account(tx: Transaction, site: Site, now: float, name: str) -> Answer:
    """Remove an account with all its mail, and its reflector."""
    check_account(tx, site, name)
    accounts.remove(tx, name)
    newsletters.drop_all(tx, name)
    for each in owners.is_gone_everywhere(tx, site.directory(), site.host, name):
        site.dispatch(tx, each, now)
    site.dispatch(tx, source_word(site, name, RemoveSource(name), now), now)
    events.append(tx, now, "account-removed", account=name)
    return {"account": name, "host": site.host}


def list_accounts(source: Source, site: Site, now: float, after: str = "") -> Answer:
    """A page of accounts, by name."""
    names = list(accounts.names(source, after, ROWS_MAX))
    return {"host": site.host, "accounts": names, "more": len(names) == ROWS_MAX}


def list_queue(source: Source, site: Site, now: float, message: int = 0, n: int = -1) -> Answer:
    """A page of what waits, oldest first. `stands`: why none of it goes on, whoever it is for."""
    rows = queue_listing.waiting(source, after=(message, n), limit=ROWS_MAX)
    stands = "" if message else _stands_still(site.live())
    return {
        "host": site.host,
        "waiting": [asdict(row) for row in rows],
        "more": len(rows) == ROWS_MAX,
        "stands": stands,
    }


def _stands_still(told: Answer) -> str:
    standby = told.get("standby")
    if not standby or not standby["behind"] or standby["mode"] != "required":
        return ""
    return f"nothing goes on before its standby {standby['host']} holds it, and that is {standby['phase']}"


def count_queue(source: Source, site: Site, now: float) -> Answer:
    """What waits, by destination."""
    return {"host": site.host, "destinations": [asdict(count) for count in queue_listing.counts(source)]}


def retry_queue(tx: Transaction, site: Site, now: float, messages: list[int] | None = None) -> Answer:
    """Try deferred mail at once."""
    return {"host": site.host, "recipients": site.queue.retry(tx, messages, now)}


def drop_queue(tx: Transaction, site: Site, now: float, messages: list[int], silent: bool = False) -> Answer:
    """Throw messages away. Their senders are told, as of any other failure, unless it is to be silent."""
    dropped = site.queue.drop(tx, messages) if silent else site.settler.drop(tx, messages, now)
    events.append(tx, now, "dropped", messages=messages[:100], recipients=dropped, silent=silent)
    return {"host": site.host, "recipients": dropped}


def status(source: Source, site: Site, now: float) -> Answer:
    """One host at a glance."""
    lanes = queue_listing.lanes(source)
    queued: Answer = {
        "messages": lanes.messages,
        "recipients": lanes.fresh + lanes.deferred,
        "deferred": lanes.deferred,
        "held": sum(queue_listing.put_off(source, queue_listing.HELD_HERE).values()),
        "oldest_seconds": round(max(now - lanes.oldest_at, 0.0), 1) if lanes.oldest_at else 0,
    }
    queued["hosts"] = queue_listing.put_off(source, site.directory().hosts)
    at_work = {"up": False, "passed_on": passing.count(source), "leaves": leaves.registered(source)} | site.live()
    return {"host": site.host, **at_work, "serial": site.directory().serial, "queue": queued}


def where(source: Source, site: Site, now: float, entity: str) -> Answer:
    """Where an entity's mail and followers are, by the zone that this host routes by."""
    return locate(site.directory(), entity)


WRITES: Mapping[str, Callable[..., Answer]] = {
    "account add": add_account,
    "account import": import_accounts,
    "account passwd": set_password,
    "account remove": remove_account,
    "account quota": keeping.set_quota,
    "account retention": keeping.set_retention,
    "account recount": keeping.recount,
    "account sent": keeping.set_sent,
    "queue retry": retry_queue,
    "queue drop": drop_queue,
    "feed poll": feeds.poll_feed,
    "feed suspend": feeds.suspend_feed,
    "feed resume": feeds.resume_feed,
    "feed fulltext": feeds.articles_of_feed,
    "feed import": feeds.import_feeds,
    "newsletter add": publishers.add_newsletter,
    "newsletter drop": publishers.drop_newsletter,
    "mailbox add": mailboxes.add_mailbox,
    "mailbox poll": mailboxes.poll_mailbox,
    "mailbox suspend": mailboxes.suspend_mailbox,
    "mailbox resume": mailboxes.resume_mailbox,
    "mailbox password": mailboxes.lock_mailbox,
    "mailbox remove": mailboxes.remove_mailbox,
    "reflector ask": trees.ask_tree,
    "reflector audit": trees.audit_tree,
    "reflector mend": trees.mend_tree,
    "reflector set-footer": footers.change_footer,
    "app add": publishers.add_application,
    "app rotate": publishers.rotate_application,
    "app revoke": publishers.revoke_application,
}
READS: Mapping[str, Callable[..., Answer]] = {
    "account list": list_accounts,
    "account usage": keeping.show_quota,
    "account miscounted": keeping.find_miscounted,
    "queue list": list_queue,
    "queue counts": count_queue,
    "feed list": feeds.list_feeds,
    "feed show": feeds.show_feed,
    "feed followed": feeds.followed,
    "newsletter list": publishers.list_newsletters,
    "mailbox list": mailboxes.list_mailboxes,
    "mailbox show": mailboxes.show_mailbox,
    "reflector list": trees.list_trees,
    "reflector show": trees.show_tree,
    "reflector footer": footers.show_footer,
    "mirror list": mirrors.list_mirrors,
    "mirror fabrics": mirrors.list_fabrics,
    "app list": publishers.list_applications,
    "status": status,
    "where": where,
}


def _check_here(site: Site, name: str) -> None:
    """An account is made at the owner of its bucket: only there does its mail arrive."""
    if not is_entity(name):
        raise CommandError(exits.DATA, f"{name!r}: is no name for an account: {NAMES_RULE}")
    directory = site.directory()
    bucket = directory.names.bucket(name)
    owner = directory.owner("timeline", bucket)
    if owner != site.host:
        raise CommandError(exits.UNAVAILABLE, f"{name} belongs to {owner}, not to {site.host}: do it at {owner}")
    if not site.owns(Timeline(name, "", bucket)):
        text = f"b{bucket}.timeline was not handed over to {owner} yet: set the zone back and do it at its last owner"
        raise CommandError(exits.TEMPFAIL, f"{name}: {text}")
