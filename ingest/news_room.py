"""The room behind ``alice+news.TOKEN@D``: mail from publishers, and its owner's wish for such an address.

Law: who does not know a token reaches nothing; a mail becomes one post or one letter, or none if it is our own. What
came too much today waits at the publisher.
"""

from __future__ import annotations

from collections.abc import Callable

from directory.names import Name, Timeline
from directory.snapshot import Directory
from ingest import newsletters
from ingest.answers import answer
from ingest.carry_out import NEWS
from ingest.deliver import new_source, source_mail
from ingest.issue import as_post, is_for_her, is_loop
from ingest.newsletters import Newsletter, token_of
from mail.control import FIELD, Control, Subscribe, WantNewsletter, read_controls
from mail.envelope import Arrival, Outgoing, Receipt, Recipient
from mail.outcome import Deferred, Delivered, Refused
from store import Reader, Transaction, events

BACKLOG = 3  # of the newest issues, for who comes later: as of feeds

MADE = """\
Give this address to {name}, and to nobody else:

    {address}

What it asks you to confirm comes to your inbox, its issues go to the folder
{folder}. Mail that you get already can be redirected there, too.

To take no more mail for it: drop {name}
"""
DROPPED = "No more mail is taken for {name}. What came so far stays.\n"
UNKNOWN = "There is no {name} among your newsletters:\n{names}\n"
FULL = "You have {count} such addresses, as many as one may: drop one first.\n"


class NewsRoom:
    """Implements the room of `Timeline` names whose detail is ``news.TOKEN``, and of wishes to ``alice+news``."""

    def __init__(self, directory: Callable[[], Directory], key: bytes) -> None:
        self._directory, self._key = directory, key

    def claims(self, name: Name, arrival: Arrival | None = None) -> bool:
        """Tell whether a mail is for this room: what else is written to ``alice+news`` is a letter to alice."""
        if not isinstance(name, Timeline):
            return False
        wished = bool(arrival and arrival.signed_by and not arrival.authenticated and arrival.headers.has(FIELD))
        return bool(token_of(name.detail)) or (name.detail == NEWS and wished)

    def knows(self, reader: Reader, name: Timeline) -> bool:
        return newsletters.find(reader, name.entity, token_of(name.detail)) is not None

    def is_full(self, reader: Reader, name: Timeline, now: float) -> bool:
        """Tell at RCPT whether today's share has come."""
        known = newsletters.find(reader, name.entity, token_of(name.detail))
        return known is not None and not newsletters.has_room(reader, known, now)

    def receive(self, tx: Transaction, arrival: Arrival, name: Timeline) -> Receipt:
        if name.detail == NEWS:
            return self._wish(tx, arrival, name.entity)
        known = newsletters.find(tx, name.entity, token_of(name.detail))
        if known is None:
            return Receipt(Refused("5.1.1 No such user here"))
        if is_loop(arrival, self._directory().names, known):
            events.append(tx, arrival.now, "dropped", source=known.source, reason="our own post came back")
            return Receipt()
        if not newsletters.has_room(tx, known, arrival.now):
            return Receipt(Deferred("4.2.2 too much mail for one day"))
        return self._take(tx, arrival, known)

    def _take(self, tx: Transaction, arrival: Arrival, known: Newsletter) -> Receipt:
        names = self._directory().names
        newsletters.count(tx, known, arrival.now)
        if is_for_her(arrival, known):
            letter = Outgoing(arrival.sender, (Recipient(names.timeline(known.account)),), arrival.content)
            return Receipt(outgoing=(letter,))
        inside = names.reflector_inside(known.source)
        post = Outgoing(names.follow(), (Recipient(inside),), as_post(arrival, names, known), signed=True)
        return Receipt(outgoing=(post,))

    def _wish(self, tx: Transaction, arrival: Arrival, account: str) -> Receipt:
        try:
            wanted = [each for each in read_controls(arrival.headers) if isinstance(each, WantNewsletter)]
        except ValueError as fault:
            return Receipt(Deferred(f"4.6.0 Control not understood: {fault}"))
        outgoing = [out for each in wanted for out in self._carry_out(tx, account, each, arrival.now)]
        return Receipt(Delivered(), tuple(outgoing))

    def _carry_out(self, tx: Transaction, account: str, wanted: WantNewsletter, now: float) -> list[Outgoing]:
        known = newsletters.by_name(tx, account, wanted.name)
        if wanted.drop:
            return [self._dropped(tx, account, known, wanted, now)]
        if known is None:
            token = newsletters.new_token(self._key, account, wanted.name, wanted.about, now)
            known = newsletters.new(token, account, wanted.name, wanted.folder, now)
        elif wanted.folder:
            known = newsletters.refile(tx, known, wanted.folder)
        return self._begun(tx, known, wanted, now)

    def _begun(self, tx: Transaction, known: Newsletter, wanted: WantNewsletter, now: float) -> list[Outgoing]:
        directory, account = self._directory(), known.account
        try:
            begun = begin(tx, directory, known, now)
        except newsletters.TooMany:
            return [self._tell(account, FULL.format(count=newsletters.NEWSLETTERS_MAX), wanted, now)]
        return [begun, self._tell(account, made(directory, known), wanted, now)]

    def _dropped(
        self, tx: Transaction, account: str, known: Newsletter | None, wanted: WantNewsletter, now: float
    ) -> Outgoing:
        if known is None:
            have = "".join(f"    {each.name}\n" for each in newsletters.of_account(tx, account))
            return self._tell(account, UNKNOWN.format(name=wanted.name, names=have), wanted, now)
        newsletters.drop(tx, known)
        return self._tell(account, DROPPED.format(name=known.name), wanted, now)

    def _tell(self, account: str, text: str, wanted: WantNewsletter, now: float) -> Outgoing:
        names = self._directory().names
        subject = f"Newsletter {wanted.name}"
        return answer(names, to=names.person(account), subject=subject, text=text, about=wanted.about, now=now)


def begin(tx: Transaction, directory: Directory, wanted: Newsletter, now: float) -> Outgoing:
    """Let there be an address and its source, which its owner follows; once more does no harm. Raise TooMany."""
    known, names = newsletters.add(tx, wanted), directory.names
    words: list[Control] = [
        new_source(known.source, known.name, BACKLOG, owner=known.account),
        Subscribe(known.source, names.person(known.account), known.folder),
    ]
    return source_mail(names, known.source, words, now)


def made(directory: Directory, known: Newsletter) -> str:
    """Say what an address is for."""
    address = f"{known.account}+{known.detail}@{directory.names.domain}"
    return MADE.format(name=known.name, address=address, folder=known.folder)
