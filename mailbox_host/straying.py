"""Welcomes that were meant for another host: what was sent for a follower to the host where the list took her to live
is sent after her to the host where she lives.

Law: a welcome names the host whose leaf gets the posts that it promises. Who takes it elsewhere asks that leaf, for
each welcome that comes; the leaf sends what it has of the interval, and passes on what comes, until the list serves her
(passing.py) or, of an interval that has ended, for as long as posts may be late. Who speaks for her timeline may ask.
For who lives with it the leaf has nothing to do: her log is here.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from directory.names import Leaf
from directory.snapshot import Directory
from mail.address import BadAddress, is_entity, parse_address
from mail.control import Welcome
from mail.envelope import Arrival, Outgoing, Receipt, Recipient
from mail.outcome import Deferred, Refused
from mail.signature import claimed_hosts
from mail.tree_control import PassOn
from mailbox_host import leaves, passing
from mailbox_host.accounts import account_id, exists
from mailbox_host.follows import OPEN
from mailbox_host.leaf_mail import write
from mailbox_host.post_log import Post, anyone_follows
from store import Bodies, Reader, Transaction

SENT_AT_ONCE = 20  # posts of the log in one step: each a message of its own, some milliseconds of the writer
OCTETS_AT_ONCE = 4 << 20  # of these together, unless one alone is larger


def claim(
    tx: Transaction, directory: Directory, host: str, account: str, words: Iterable[Welcome], now: float
) -> tuple[Outgoing, ...]:
    """Ask for what went to other hosts of the intervals that these welcomes opened."""
    mails: tuple[Outgoing, ...] = ()
    for word in words:
        found = tx.one(
            "SELECT until_post FROM follow"
            " WHERE account = ? AND source = ? AND generation = ? AND from_post < until_post",
            (account_id(tx, account), word.source, word.generation),
        )
        if word.at and directory.stands_for(word.at) != host and found:
            asked = PassOn(word.source, word.at, account, word.from_, found[0], word.generation, word.folder)
            mails += write(directory.names, asked, now, "", directory.names.leaf(word.source, word.at))
    return mails


def take(tx: Transaction, directory: Directory, arrival: Arrival, control: PassOn) -> Receipt:
    """The leaf that was meant hears where she lives."""
    bucket = directory.names.bucket(control.who)
    if not is_entity(control.who) or not 0 < control.from_ < control.until <= OPEN or control.generation >= OPEN:
        return Receipt(Refused("5.5.4 Nobody to pass anything on to"))
    if not directory.speaks_for("timeline", bucket, arrival.signed_by):
        return Receipt(Deferred(f"4.7.1 {arrival.signed_by} does not speak for {control.who}"))
    if not exists(tx, control.who):
        passing.follow(tx, control, arrival.signed_by, arrival.now)
    return Receipt()


def send_on(directory: Directory, me: str, source: str, post: Arrival, hosts: Iterable[str]) -> tuple[Outgoing, ...]:
    """A post that has come, for the leaves where followers live now."""
    return _send(directory, me, source, post.content, post.signed_by, hosts)


def _send(
    directory: Directory, me: str, source: str, content: bytes, by: str, hosts: Iterable[str]
) -> tuple[Outgoing, ...]:
    """Its sender is this leaf, for it does not come from the list."""
    names = directory.names
    leaves = tuple(Recipient(names.leaf(source, host)) for host in hosts)
    return (Outgoing(names.leaf(source, me), leaves, content, signed=True, signed_by=by),) if leaves else ()


def wants(tx: Transaction, directory: Directory, arrival: Arrival, post: Post) -> bool:
    """Tell whether the log of the list's own host keeps a post: for who follows here, or because another leaf has sent
    it after somebody who is here, or about to be."""
    return (
        anyone_follows(tx, post.source, post.number)
        or leaves.is_registered(tx, post.source, post.number)
        or _is_from_leaf(directory, arrival.sender)
    )


def _is_from_leaf(directory: Directory, sender: str) -> bool:
    try:
        return isinstance(directory.names.classify(parse_address(sender)), Leaf)
    except BadAddress:
        return False


def is_due(place: Reader | Transaction) -> bool:
    return place.one("SELECT 1 FROM passed_on WHERE behind IS NOT NULL LIMIT 1") is not None


def send_after(tx: Transaction, directory: Directory, me: str) -> tuple[Outgoing, ...]:
    """Send the next posts that were here before it was asked for them."""
    row = tx.one("SELECT source, host, until_post, behind FROM passed_on WHERE behind IS NOT NULL LIMIT 1")
    if row is None:
        return ()
    source, host, until, behind = row
    posts = tx.all(
        "SELECT post, body, size FROM post_log WHERE source = ? AND post >= ? AND post < ? ORDER BY post LIMIT ?",
        (source, behind, until, SENT_AT_ONCE),
    )
    octets = list(accumulate(size for _, _, size in posts))
    some = [post for post, upto in zip(posts, octets, strict=True) if upto <= max(OCTETS_AT_ONCE, octets[0])]
    left = some[-1][0] + 1 if len(some) < len(posts) or len(posts) == SENT_AT_ONCE else None
    tx.execute("UPDATE passed_on SET behind = ? WHERE source = ? AND host = ?", (left, source, host))
    contents = [Bodies.read(tx, body) for _, body, _ in some]
    named = [(one, _signer(directory, me, one)) for one in contents]
    return tuple(mail for one, by in named for mail in _send(directory, me, source, one, by, [host]))


def _signer(directory: Directory, me: str, content: bytes) -> str:
    """Whose word a post is; what was made here has no signature yet."""
    hosts = claimed_hosts(content, directory.names.domain)
    return hosts[0] if hosts else me
