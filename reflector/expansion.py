"""From one post to its recipients.

Law: a post goes to every interval that contains its number, once: one recipient for this host's leaf whatever the
number of followers there, one for each timeline elsewhere, one for each foreign address, with its own return path.
"""

from __future__ import annotations

from mail.envelope import Outgoing, Recipient
from reflector.letter import House
from reflector.subscriptions import FABRIC, followers_of_post
from store import Transaction


def expand(house: House, tx: Transaction, source: str, post: int, content: bytes) -> Outgoing:
    """Return the post, addressed."""
    names = house.names
    recipients = [Recipient(names.leaf(source, house.host))]
    tail = names.reflector(source).partition("@")[2]
    for kind, address, token in followers_of_post(tx, source, post):
        if kind == FABRIC:
            recipients.append(Recipient(names.timeline(address.partition("@")[0])))
        else:
            recipients.append(Recipient(address, f"{source}+bounce.{token}@{tail}"))
    return Outgoing(names.reflector_inside(source, "bounce"), tuple(recipients), content, signed=True)


def counts(post: Outgoing) -> dict[str, int]:
    """Say how many went where: the leaf aside, foreign recipients are those with a return path of their own."""
    foreign = sum(recipient.sender is not None for recipient in post.recipients)
    return {"foreign": foreign, "fabric": len(post.recipients) - 1 - foreign, "octets": len(post.content)}
