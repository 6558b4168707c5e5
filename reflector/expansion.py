"""From one post to its recipients.

Law: a post goes to every interval that contains its number, once: one recipient for this host's leaf whatever the
number of followers there, one for each branch, one for each timeline elsewhere, one for each foreign address, with its
own return path. Below the root there are no timelines. A host with enough followers for a leaf gets one copy at once:
that a hand-over is still under way there costs no recipient each.
"""

from __future__ import annotations

from collections import Counter

from mail.envelope import Outgoing, Recipient
from reflector.letter import House
from reflector.nodes import branches_of_post
from reflector.subscriptions import FABRIC, followers_of_post
from reflector.tree import is_root, source_of
from reflector.tree_mail import branch_address
from store import Transaction


def expand(house: House, tx: Transaction, list_: str, post: int, content: bytes, signed_by: str = "") -> Outgoing:
    """Return the post of a list, addressed. `signed_by`: whose signature it carries already."""
    names, source = house.names, source_of(list_)
    branches = {branch_address(house, list_, kind, name) for kind, name in branches_of_post(tx, list_, post)}
    if is_root(list_):
        branches.add(names.leaf(source, house.host))
    domain, followers, foreign = return_domain(house, list_), [], []
    for kind, address, token in followers_of_post(tx, list_, post):
        if kind == FABRIC:
            followers.append(address.partition("@")[0])
        else:
            foreign.append(Recipient(address, f"{source}+bounce.{token}@{domain}"))
    timelines, crowded = _by_host(house, followers)
    branches |= {names.leaf(source, host) for host in crowded}
    recipients = [Recipient(address) for address in (*sorted(branches), *map(names.timeline, timelines))]
    sender = names.reflector_inside(source, "bounce")
    return Outgoing(sender, (*recipients, *foreign), content, signed=not signed_by, signed_by=signed_by)


def _by_host(house: House, followers: list[str]) -> tuple[list[str], list[str]]:
    """Part the followers into those who get a copy each, and the hosts that get one for all who live there. Of whom the
    zone gave to another host lately nobody knows at which of them a copy would find her."""
    least = house.settings.leaf_threshold
    if len(followers) < least:
        return followers, []
    homes = ["" if house.has_moved(name) else house.home(name) for name in followers]
    counted = Counter(homes)
    counted[""] = 0
    alone = [name for name, host in zip(followers, homes, strict=True) if counted[host] < least]
    return alone, [host for host, count in counted.items() if count >= least]


def return_domain(house: House, list_: str) -> str:
    """Where what a list sends abroad comes back to: the host that knows its tokens."""
    if is_root(list_):
        return f"reflectors.{house.names.domain}"
    return f"b{house.names.bucket(list_)}.reflectors.{house.names.domain}"


def counts(post: Outgoing) -> dict[str, int]:
    """Say how many went where: foreign recipients have a return path of their own, branches a ``+`` in their names."""
    foreign = sum(recipient.sender is not None for recipient in post.recipients)
    branches = sum(recipient.sender is None and "+" in recipient.address for recipient in post.recipients)
    fabric = len(post.recipients) - foreign - branches
    return {"foreign": foreign, "fabric": fabric, "branches": branches, "octets": len(post.content)}
