"""What the command can do to what accounts keep: quota, retention, counting anew.

Law: as in operations.py.
"""

from __future__ import annotations

from heliograph import exits
from heliograph.exits import CommandError
from heliograph.site import ROWS_MAX, Answer, Site, Source, check_account
from mailbox_host import quota, retention, sent
from store import Transaction, events


def show_quota(source: Source, site: Site, now: float, name: str) -> Answer:
    """What an account keeps, and the limits that are its own (null: the configuration's hold)."""
    check_account(source, site, name)
    kept = quota.usage(source, name, quota.Quota())
    octets_max, messages_max = quota.own_limits(source, name)
    answer = {"octets": kept.octets, "messages": kept.messages}
    return {"account": name, "host": site.host, **answer, "octets_max": octets_max, "messages_max": messages_max}


def set_quota(tx: Transaction, site: Site, now: float, name: str, changes: dict[str, int | None]) -> Answer:
    """Change an account's own limits: `octets`, `messages`, what is named of them."""
    check_account(tx, site, name)
    octets, messages = quota.own_limits(tx, name)
    quota.set_limits(tx, name, changes.get("octets", octets), changes.get("messages", messages))
    events.append(tx, now, "quota-set", account=name, **changes)
    return show_quota(tx, site, now, name)


def set_retention(
    tx: Transaction, site: Site, now: float, name: str, folder: str, changes: dict[str, int | None]
) -> Answer:
    """Change what a folder keeps: `days`, `messages`, what is named of them."""
    check_account(tx, site, name)
    own = retention.own_retention(tx, name, folder)
    if own is None:
        raise CommandError(exits.DATA, f"{name} has no folder {folder!r}: its client makes it, or a follow")
    kept = {"days": own[0], "messages": own[1]} | changes
    if changes:
        retention.set_retention(tx, name, folder, kept["days"], kept["messages"])
        events.append(tx, now, "retention-set", account=name, folder=folder, **changes)
    return {"account": name, "host": site.host, "folder": folder, **kept}


def set_sent(tx: Transaction, site: Site, now: float, name: str, host: bool) -> Answer:
    """Have the host keep copies of what an account submits, or leave it to its client."""
    check_account(tx, site, name)
    sent.set_keeps_sent(tx, name, host)
    events.append(tx, now, "sent-set", account=name, host=host)
    return {"account": name, "host": site.host, "sent": "host" if host else "client"}


def find_miscounted(source: Source, site: Site, now: float, after: str = "") -> Answer:
    """Count a page of accounts anew; `next` goes on from there."""
    wrong, last = quota.miscounted(source, after, ROWS_MAX)
    return {"host": site.host, "miscounted": wrong, "next": last}


def recount(tx: Transaction, site: Site, now: float, names: list[str]) -> Answer:
    """Count what accounts keep anew."""
    for name in names:
        quota.recount(tx, name)
    events.append(tx, now, "recounted", accounts=names[:100], count=len(names))
    return {"host": site.host, "recounted": len(names)}
