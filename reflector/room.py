"""The reflectors' room: takes what is addressed to a source, or to one of its commands.

Law: no I/O, no clock, no randomness: the same arrival in the same tables gives the same receipt.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from directory.names import Reflector
from directory.snapshot import Directory
from mail.address import mirrored
from mail.envelope import Arrival, Outgoing, Receipt
from mail.outcome import Deferred, Outcome, Refused
from reflector.abroad import LEAVE
from reflector.audit import take_audit
from reflector.bounces import take_bounce
from reflector.command_words import read_line, subject_of
from reflector.commands import take_command
from reflector.confirmations import CONFIRM, is_asked
from reflector.controls import DOOR as CONTROL
from reflector.controls import drop_stray, take_controls
from reflector.fabric_wishes import take_wish
from reflector.footer_commands import DOOR as FOOTER
from reflector.footer_commands import take_footer
from reflector.leaving import find_row, take_leave
from reflector.letter import House, Letter, is_control
from reflector.mending import Mended, mend
from reflector.mirror_door import knows_mirror, not_its_upstream, take_mirrored
from reflector.posting import not_the_owner, take_post
from reflector.relaying import relay_post
from reflector.sender_commands import DOOR as SENDERS
from reflector.sender_commands import take_senders
from reflector.senders import BY, has_sender, posts_from
from reflector.settings import Settings
from reflector.sources import Source, find_source, is_buried, lists_of
from reflector.tokens import KEY_OCTETS_MIN, is_token
from reflector.upkeep import forward_to_owner
from reflector.work import is_due, work
from store import Reader, Transaction

Flow = Callable[[Letter], Receipt]

DOORS: dict[str, Flow] = {
    "": take_post,
    "subscribe": take_command,
    "unsubscribe": take_command,
    "help": take_command,
    "request": take_command,
    "confirm": take_command,
    "owner": forward_to_owner,
    "bounce": take_bounce,
    LEAVE: take_leave,
    SENDERS: take_senders,
    FOOTER: take_footer,
}
SUB = "sub."
WITH_TOKEN = ("confirm", "bounce", LEAVE)
NO_COMMANDS = ("confirm", LEAVE, "leaf", "sub")  # without a token, or at this domain, they mean nothing

_WORD = re.compile(r"[a-z]{1,20}\Z")


def flow_of(detail: str) -> Flow | None:
    """Tell which flow an address's detail leads to; None: to none. A misspelt command (``bob+subscirbe@``) is one too,
    and answered with help."""
    word, dot, token = detail.partition(".")
    if dot:
        return DOORS[word] if word in WITH_TOKEN and is_token(token) else None
    if word in NO_COMMANDS:
        return None
    return DOORS.get(word) or (take_command if _WORD.match(word) else None)


class ReflectorRoom:
    """All reflectors of the buckets that this host owns."""

    def __init__(
        self,
        host: str,
        directory: Callable[[], Directory],
        token_key: bytes,
        settings: Settings | None = None,
        local: Callable[[Reader | Transaction, str], int] = lambda place, source: 0,
        holds_now: Callable[[Transaction, str], bool] = lambda tx, entity: True,
    ) -> None:
        if not KEY_OCTETS_MIN <= len(token_key) <= 64:  # BLAKE2b takes no longer one
            raise ValueError(f"the token key has {KEY_OCTETS_MIN} to 64 octets")
        self.host = host
        self._directory = directory
        self._key = token_key
        self._settings = settings or Settings()
        self._local, self._holds_now = local, holds_now

    def knows(self, reader: Reader | Transaction, name: Reflector) -> bool:
        """Tell whether mail to this name can be taken."""
        if name.detail == CONTROL or name.detail.startswith(SUB):
            return True
        if mirrored(name.entity):
            return knows_mirror(reader, self._key, name)
        if name.detail.startswith(BY):
            return has_sender(reader, name.entity, name.detail)
        word, _, token = name.detail.partition(".")
        if word == CONFIRM and not is_asked(reader, self._key, name.entity, token):
            return False
        if word == LEAVE and find_row(reader, name.entity, token) is None:
            return False
        source = find_source(reader, name.entity) or _any_list(reader, name)
        return flow_of(name.detail) is not None and source is not None

    def posts_from(self, reader: Reader, name: Reflector, address: str) -> bool:
        """Tell whether a source's owner posts from an address elsewhere."""
        return posts_from(reader, name.entity, address)

    def refuses(self, reader: Reader, name: Reflector, letter: Arrival, entity: str) -> Refused | None:
        """Judge a post at the door, where nobody but the client need be told: `entity` is who signed in, "" for a
        stranger. A refusal later would be a notice to whatever sender a stranger names."""
        if name.detail or read_line(subject_of(letter)):
            return None
        if mirrored(name.entity):
            return not_its_upstream(self._directory().names, name.entity)
        source = find_source(reader, name.entity)
        if entity and (source is None or source.owner == entity):  # another host's source: it judges
            return None
        return not_the_owner(self._directory().names, name.entity, source)

    def receive(self, tx: Transaction, arrival: Arrival, name: Reflector) -> Receipt:
        """Take one arrival for one name."""
        house = House(self.host, self._directory(), self._key, self._settings, self._local, self._holds_now)
        if name.detail.startswith(SUB):
            list_ = f"{name.entity}+{name.detail}"
            take = take_controls if is_control(arrival) else relay_post
            return take(house, tx, arrival, list_)
        if name.detail in ("", CONTROL) and is_control(arrival):
            return take_controls(house, tx, arrival, name.entity)
        if name.detail == CONTROL:
            return drop_stray(tx, arrival, name.entity)
        if mirrored(name.entity):
            return take_mirrored(house, tx, arrival, name)
        source, flow = find_source(tx, name.entity) or _any_list(tx, name), flow_of(name.detail)
        if source is None:
            return Receipt(_unknown(tx, arrival, name.entity))
        if flow is None:
            return Receipt(Refused(f"5.1.1 No such command; try {house.names.reflector(source.name, 'help')}"))
        letter = Letter(house, tx, arrival, source, name.detail)
        return take_wish(letter) if arrival.fabric else flow(letter)

    def is_due(self, reader: Reader | Transaction, now: float) -> bool:
        """Tell whether `work` would do anything."""
        return is_due(reader, self._settings, now)

    def work(self, tx: Transaction, now: float) -> tuple[Outgoing, ...]:
        """Do a step of the lists' own work; return what is to be sent."""
        return work(House(self.host, self._directory(), self._key, self._settings), tx, now)

    def audit(self, tx: Transaction, source: str, now: float) -> tuple[Outgoing, ...]:
        """Ask a source's whole tree to report to its root, which is here; return what is to be sent."""
        return take_audit(House(self.host, self._directory(), self._key, self._settings), tx, source, now)

    def mend(
        self, tx: Transaction, list_: str, since: float, now: float
    ) -> tuple[tuple[Mended, ...], tuple[Outgoing, ...]]:
        """Give a list's branches that have lost their followers, as they said since then, those again."""
        return mend(House(self.host, self._directory(), self._key, self._settings), tx, list_, since, now)


def _any_list(place: Reader | Transaction, name: Reflector) -> Source | None:
    """What a sub-reflector sent comes back to where it is served: some list of the source is here."""
    if not name.detail.startswith(("bounce.", f"{LEAVE}.")):
        return None
    found = (find_source(place, list_) for list_ in lists_of(place, name.entity))
    return next((source for source in found if source), None)


def _unknown(tx: Transaction, arrival: Arrival, name: str) -> Outcome:
    if arrival.authenticated == name and not is_buried(tx, name):
        # Its owner posts already: what creates it is still on the way, mail is not ordered.
        return Deferred("4.2.1 This source does not exist yet")
    return Refused(f"5.1.1 There is no {name} to follow here")
