"""What the command can do to lists and their trees: how they stand, and to split, fold, audit.

Law: as in operations.py. A host tells what it serves as it is now; what other hosts serve, the root's host tells as it
was last reported to it.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from heliograph import exits
from heliograph.exits import CommandError
from heliograph.site import ROWS_MAX, Answer, Site, Source
from mail.follower_rows import digest_of
from mailbox_host import leaves
from reflector import tending
from reflector.room import ReflectorRoom
from reflector.tree import is_root, source_of
from store import Transaction, events


def list_trees(source: Source, site: Site, now: float, after: str = "") -> Answer:
    """A page of the lists that have their root here, by name."""
    names = tending.lists_here(source, after, ROWS_MAX)
    stands = (tending.stand_of(source, name) for name in names if is_root(name))
    rows = [_root(source, stand) for stand in stands if stand]
    return {"host": site.host, "lists": rows, "next": names[-1] if len(names) == ROWS_MAX else ""}


def show_tree(source: Source, site: Site, now: float, name: str, digests: bool = True) -> Answer:
    """All lists of one source that this host serves, who follows it here, and what its root here was told."""
    return {
        "host": site.host,
        "lists": [_stand(source, site, stand, digests) for stand in tending.stands_of(source, name)],
        "here": _here(source, name, digests),
        "told": [asdict(told) | {"host": _host(site, told.name)} for told in tending.told_of(source, name).values()],
        "busy": tending.is_busy(source, name, now),
    }


def ask_tree(tx: Transaction, site: Site, now: float, name: str, policy: str) -> Answer:
    """Have a list split or fold, and stay so; or go by its length again."""
    if not tending.ask(tx, name, policy, now):
        raise _unknown(site, name)
    events.append(tx, now, "list-asked", source=name, policy=policy)
    return {"host": site.host, "list": name, "policy": policy}


def audit_tree(tx: Transaction, site: Site, now: float, name: str) -> Answer:
    """Have every list and leaf of a tree report to its root, which is here; the answers come by mail."""
    room = _room(site)
    if tending.stand_of(tx, name) is None:
        raise _unknown(site, name)
    for outgoing in room.audit(tx, name, now):
        site.dispatch(tx, outgoing, now)
    events.append(tx, now, "audit-asked", source=name)
    return {"host": site.host, "list": name, "asked_at": now}


def mend_tree(tx: Transaction, site: Site, now: float, name: str, since: float) -> Answer:
    """Give the branches of a list that lost their followers, and said so since then, what this list still knows."""
    mended, mails = _room(site).mend(tx, name, since, now)
    for outgoing in mails:
        site.dispatch(tx, outgoing, now)
    return {"host": site.host, "list": name, "mended": [asdict(one) for one in mended]}


def _room(site: Site) -> ReflectorRoom:
    if site.trees is None:
        raise CommandError(exits.UNAVAILABLE, f"{site.host} is down: start it: an audit is mail between hosts")
    return site.trees


def _unknown(site: Site, name: str) -> CommandError:
    return CommandError(exits.NOUSER, f"{name}: {site.host} serves no such list: see `reflector list`")


def _root(source: Source, stand: tending.Stand) -> Answer:
    below = sum(branch.total for branch in (*stand.subs, *stand.leaves))
    return {
        "list": stand.source.list,
        "title": stand.source.title,
        "owner": stand.source.owner,
        "posts": stand.source.next_post - 1,
        "followers": stand.source.subscribers + below + leaves.count(source, stand.source.list),
        "lists_below": len(stand.subs),
        "leaves": len(stand.leaves),
        "policy": stand.node.policy,
        "move": asdict(stand.move) if stand.move else None,
    }


def _stand(source: Source, site: Site, stand: tending.Stand, digests: bool) -> Answer:
    rows = tending.rows_of(source, stand.source.list, digests)
    return {
        "list": stand.source.list,
        "host": site.host,
        "title": stand.source.title,
        "owner": stand.source.owner,
        "lo": stand.node.lo,
        "hi": stand.node.hi,
        "state": stand.node.state,
        "policy": stand.node.policy,
        "epoch": stand.node.epoch,
        "next_post": stand.source.next_post,
        "inside": rows.inside,
        "outside": rows.outside,
        "digest": rows.digest,
        "rest_until": stand.node.rest_until,
        "subs": [_branch(site, branch) for branch in stand.subs],
        "leaves": [_branch(site, branch) for branch in stand.leaves],
        "move": _move(source, stand.move) if stand.move else None,
    }


def _branch(site: Site, branch: tending.Branch) -> dict[str, Any]:
    return {
        "name": branch.name,
        "host": _host(site, branch.name),
        "lo": branch.lo,
        "hi": branch.hi,
        "from_post": branch.from_post,
        "epoch": branch.epoch,
        "total": branch.total,
    }


def _move(source: Source, move: tending.Move) -> dict[str, Any]:
    done, whole = tending.progress(source, move)
    return asdict(move) | {"rows_done": done, "rows_all": whole}


def _host(site: Site, name: str) -> str:
    """Where a list below is served, by the zone; a leaf has its host's name."""
    if is_root(name):
        return name
    directory = site.directory()
    return directory.owner("reflectors", directory.names.bucket(name))


def _here(source: Source, name: str, digests: bool) -> dict[str, Any]:
    rows = leaves.followers(source, source_of(name)) if digests else []
    count = len(rows) if digests else leaves.count(source, source_of(name))
    return {"followers": count, "digest": digest_of(rows) if digests else ""}
