"""The mailbox room: what becomes of mail for a timeline or a leaf of this host.

Law: posts and controls are believed only from the host that owns the source's reflectors bucket, by its signature, or
from this very host; everything else is personal mail, filed once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from directory.names import Leaf, Name, Timeline
from directory.snapshot import Directory
from mail.address import is_source
from mail.control import FIELD, Goodbye, KeepSent, Sift, TellFollows, Welcome, read_controls
from mail.envelope import Arrival, Outgoing, Receipt
from mail.follower_rows import read_rows
from mail.headers import split_message
from mail.outcome import Deferred, Delivered, Refused
from mail.tree_control import Adopt, PassOn
from mailbox_host import leaves, passing, straying
from mailbox_host.accounts import account_id, exists
from mailbox_host.bell import Bell
from mailbox_host.follow_list import answer_follows
from mailbox_host.follows import TooManyFollows
from mailbox_host.post_log import Post
from mailbox_host.quota import is_full, usage
from mailbox_host.refiling import file_one
from mailbox_host.repeats import first_at, is_first, was_here
from mailbox_host.sent import file_sent
from mailbox_host.settings import Settings
from mailbox_host.sifting import sift
from mailbox_host.timeline import deliver_post, goodbye, log_post, welcome
from store import Reader, Transaction, events

NUMBER_DIGITS_MAX = 18  # fits SQLite's integers

NO_SUCH_USER = Refused("5.1.1 No such user here")
FULL = Deferred("4.2.2 The mailbox is full", 452)  # the queue asks again, and tells the sender after five days
TOO_LARGE = Refused("5.2.3 The letter is larger than all that the mailbox may hold", 552)
REPEATED = Delivered("2.0.0 Ok, was here before")


class MailboxRoom:
    """Takes mail for the timelines and leaves of this host."""

    def __init__(
        self, host: str, directory: Callable[[], Directory], bell: Bell, settings: Settings | None = None
    ) -> None:
        self._host = host
        self._settings = settings or Settings()
        self._directory = directory
        self._bell = bell

    def knows(self, reader: Reader, name: Name) -> bool:
        """Tell at RCPT whether there is such a mailbox here."""
        match name:
            case Timeline(entity):
                return exists(reader, entity)
            case Leaf(_, host):
                return self._is_mine(host)
        return False

    def is_full(self, reader: Reader, name: Timeline) -> bool:
        """Tell at RCPT whether no letter fits any more. Posts are taken all the same."""
        return is_full(reader, name.entity, self._settings.quota)

    def receive(self, tx: Transaction, arrival: Arrival, name: Name) -> Receipt:
        """Take one arrival for one recipient."""
        match name:
            case Timeline(entity):
                return self._timeline(tx, arrival, entity)
            case Leaf(source, host) if self._is_mine(host):
                if _may_speak_for_sources(arrival) and arrival.headers.has(FIELD):
                    return self._leaf_control(tx, arrival, source, host)
                return self._leaf(tx, arrival, source)
        return Receipt(NO_SUCH_USER)

    def is_due(self, reader: Reader | Transaction, now: float) -> bool:
        """Tell whether `work` would do anything."""
        return passing.is_due(reader, now) or straying.is_due(reader)

    def work(self, tx: Transaction, now: float) -> tuple[Outgoing, ...]:
        """Tell lists of their followers who moved away from here, and send posts after them; return the mail."""
        directory = self._directory()
        behind = straying.send_after(tx, directory, self._host)
        return behind + passing.ask(tx, directory.names, directory.serial, self._host, now)

    def _timeline(self, tx: Transaction, arrival: Arrival, account: str) -> Receipt:
        if not exists(tx, account):
            return Receipt(NO_SUCH_USER)
        if _may_speak_for_sources(arrival):
            if arrival.headers.has(FIELD):
                return self._controls(tx, arrival, account)
            if arrival.headers.has("heliograph-source"):
                return self._post(tx, arrival, account)
        return self._personal(tx, arrival, account)

    def _leaf(self, tx: Transaction, arrival: Arrival, source: str) -> Receipt:
        """A post for all followers on this host: one row. It is kept whoever is known to follow, for their welcomes may
        come after it; none where the reflector lives here too, and welcomes come first."""
        if not _may_speak_for_sources(arrival):
            return Receipt(Refused("5.7.1 Only the source's reflector delivers here"))
        post = _read_post(arrival)
        if post is None or post.source != source:
            return Receipt(Refused("5.6.0 Not a post of this source", 554))
        if not self._speaks_for(arrival, source):
            return Receipt(_not_yet(source))
        further = passing.passed_to(tx, source, post.number)
        wanted = further or arrival.signed_by != self._host or straying.wants(tx, self._directory(), arrival, post)
        return Receipt(outgoing=self._log(tx, arrival, post) if wanted else ())

    def _is_mine(self, host: str) -> bool:
        """Tell whether a host's leaves are here: this one's, and those of a lost host whose heir this is."""
        return self._directory().stands_for(host) == self._host

    def _leaf_control(self, tx: Transaction, arrival: Arrival, source: str, host: str) -> Receipt:
        """What the source's reflector says about all its followers here."""
        try:
            (control,) = read_controls(arrival.headers)
            rows = read_rows(split_message(arrival.content)[1]) if isinstance(control, Adopt) else []
        except ValueError as fault:
            return Receipt(Deferred(f"4.6.0 Control not understood: {fault}"))
        if not isinstance(control, leaves.LeafControl) or (control.source, control.host) != (source, host):
            return Receipt(Refused("5.5.4 This control is not for this leaf"))
        if isinstance(control, PassOn):
            return straying.take(tx, self._directory(), arrival, control)
        if not self._speaks_for(arrival, source):
            return Receipt(_not_yet(source))
        outgoing = leaves.take(tx, self._directory(), host, control, rows, arrival.now)
        for row in rows:
            tx.after_commit(partial(self._bell.ring_account, row.who))
        return Receipt(Delivered(), outgoing)

    def _post(self, tx: Transaction, arrival: Arrival, account: str) -> Receipt:
        """A post for one follower on this host."""
        post = _read_post(arrival)
        if post is None:
            return Receipt(Refused("5.6.0 Not a readable post", 554))
        if not self._speaks_for(arrival, post.source):
            return Receipt(_not_yet(post.source))
        after = self._log(tx, arrival, post)
        one = self._post_for_one(tx, arrival, account) if deliver_post(tx, account, post) else Receipt()
        return replace(one, outgoing=one.outgoing + after)

    def _post_for_one(self, tx: Transaction, arrival: Arrival, account: str) -> Receipt:
        """A post that comes to nobody else was filed."""
        tx.after_commit(lambda: self._bell.ring_account(account))
        return Receipt()

    def _log(self, tx: Transaction, arrival: Arrival, post: Post) -> tuple[Outgoing, ...]:
        """Keep a post, and send it after followers who moved. What was here before was sent then."""
        if not log_post(tx, post):
            return ()
        events.append(tx, post.arrival, "filed", source=post.source, post=post.number)
        tx.after_commit(lambda: self._bell.ring_sources([post.source]))
        hosts = [host for host in passing.passed_to(tx, post.source, post.number) if host != self._host]
        return straying.send_on(self._directory(), self._host, post.source, arrival, hosts)

    def _controls(self, tx: Transaction, arrival: Arrival, account: str) -> Receipt:
        """Carry out welcomes and goodbyes, all or none. The message itself is not filed."""
        try:
            found = read_controls(arrival.headers)
        except ValueError as fault:  # perhaps this host is older than the sender: it may be understood tomorrow
            return Receipt(Deferred(f"4.6.0 Control not understood: {fault}"))
        if any(control == KeepSent(account) for control in found):
            return self._sent(tx, arrival, account)
        controls = [c for c in found if isinstance(c, Welcome | Goodbye)]
        for control in controls:  # before anything is done: mail that is put off comes again
            if not self._speaks_for(arrival, control.source):
                return Receipt(_not_yet(control.source))
        outgoing: list[Outgoing] = []
        for asked in found:  # by the ingest room of any host, on the word of the account's owner
            match asked:
                case Sift(source) if is_source(source):
                    sift(tx, account, asked)
                case TellFollows() if is_first(tx, account_id(tx, account), arrival):
                    outgoing += answer_follows(tx, self._directory(), account, asked, arrival.now)
        try:
            tx.nested(lambda part: _carry_out(part, account, controls, arrival.now))
        except TooManyFollows as full:
            return Receipt(Refused(f"5.2.2 {full}", 552))
        welcomes = [control for control in controls if isinstance(control, Welcome)]
        outgoing += straying.claim(tx, self._directory(), self._host, account, welcomes, arrival.now)
        tx.after_commit(lambda: self._bell.ring_account(account))
        return Receipt(outgoing=tuple(outgoing))

    def _sent(self, tx: Transaction, arrival: Arrival, account: str) -> Receipt:
        """A copy of what the account submitted, at whichever host."""
        kept, size = usage(tx, account, self._settings.quota), len(arrival.content)
        if not kept.has_room(size):
            return Receipt(FULL if kept.could_hold(size) else TOO_LARGE)
        file_sent(tx, account, arrival)
        tx.after_commit(lambda: self._bell.ring_account(account))
        return Receipt()

    def _personal(self, tx: Transaction, arrival: Arrival, account: str) -> Receipt:
        owner = account_id(tx, account)
        kept, size = usage(tx, account, self._settings.quota), len(arrival.content)
        if not kept.has_room(size):  # nothing is noted of what is not taken: it may come again
            if was_here(tx, owner, arrival):
                return Receipt(REPEATED)
            return Receipt(FULL if kept.could_hold(size) else TOO_LARGE)
        if (at := first_at(tx, owner, arrival)) is None:
            return Receipt(REPEATED)
        inbox = tx.one("SELECT id FROM folder WHERE account = ? AND name = 'INBOX'", (owner,))
        assert inbox is not None
        file_one(tx, owner, inbox[0], arrival.body, size, at, None)
        events.append(tx, arrival.now, "filed", account=account)
        tx.after_commit(lambda: self._bell.ring_account(account))
        return Receipt()

    def _speaks_for(self, arrival: Arrival, source: str) -> bool:
        """Tell whether the signer is where this source's reflector lives, or lived when it was signed."""
        if arrival.signed_by == self._host:
            return True
        directory = self._directory()
        return directory.speaks_for("reflectors", directory.names.bucket(source), arrival.signed_by)


def _may_speak_for_sources(arrival: Arrival) -> bool:
    """Signed by a host, and made by a room: what a signed-in user sent is signed too, but carries their name."""
    return bool(arrival.signed_by) and not arrival.authenticated


def _carry_out(tx: Transaction, account: str, controls: list[Welcome | Goodbye], now: float) -> None:
    for control in controls:
        match control:
            case Welcome():
                welcome(tx, account, control, now)
            case Goodbye():
                goodbye(tx, account, control)


def _read_post(arrival: Arrival) -> Post | None:
    source = arrival.headers.get("heliograph-source").lower()
    number = arrival.headers.get("heliograph-post")
    if not is_source(source) or not (number.isascii() and number.isdigit()) or len(number) > NUMBER_DIGITS_MAX:
        return None
    return Post(source, int(number), arrival.body, len(arrival.content), arrival.now) if int(number) else None


def _not_yet(source: str) -> Deferred:
    """The zone may be about to say otherwise: keep it, and ask again."""
    return Deferred(f"4.7.1 Not signed by the host of {source}'s reflector")
