"""What a mail from elsewhere would have a list do, if it were proven.

Law: only what is written to a list, by a person, in a mail that names it. Nothing is looked up in the DNS here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from directory.names import Foreign, Name, Reflector
from heliograph.door.intake import meaning
from heliograph.flow import Flow
from heliograph.proof.posters import Posters
from heliograph.proof.saying import Saying
from mail.address import Address, mirrored
from mail.envelope import Arrival
from reflector.automatic import why_automatic
from reflector.command_words import read_line, subject_of
from spool.door import Envelope, RcptTo

COMMAND_OCTETS_MAX = 65_536  # a command has one word; what is larger is confirmed by mail
WORDS = ("subscribe", "unsubscribe")
LISTS_MAX = 10  # of one mail: each may be a question to another host


@dataclass(slots=True)
class Wanted:
    """Recipients that a proof would open: for a command, or for a post (`unsure`: if the owner posts from there); and
    all others of the mail."""

    commands: list[RcptTo] = field(default_factory=list)
    posts: list[RcptTo] = field(default_factory=list)
    others: list[RcptTo] = field(default_factory=list)
    unsure: bool = False

    def __bool__(self) -> bool:
        return bool(self.lists)

    @property
    def lists(self) -> list[RcptTo]:
        return [*self.commands, *self.posts]

    def without(self, unwanted: Callable[[RcptTo], bool]) -> Wanted:
        """The same, less those of the lists."""
        commands, posts = ([to for to in some if not unwanted(to)] for some in (self.commands, self.posts))
        return Wanted(commands, posts, self.others, self.unsure)


async def wanted_of(flow: Flow, posters: Posters, envelope: Envelope, content: bytes, saying: Saying) -> Wanted:
    """Sort a mail's recipients."""
    arrival, wanted = Arrival(envelope.sender, content, 0), Wanted()
    # People of this fabric sign in: what of theirs we sealed on its way out is no proof on its way back.
    foreign = isinstance(flow.name_of(_address(saying.author)), Foreign)
    if not foreign or why_automatic(arrival, flow.directory().names):
        return wanted
    lists = 0
    for recipient in envelope.recipients:
        name = meaning(flow, recipient)
        is_list = isinstance(name, Reflector) and not mirrored(name.entity)
        lists += (named := is_list and recipient.address.lower() in saying.named)
        if not isinstance(name, Reflector) or not named or lists > LISTS_MAX:
            wanted.others.append(recipient)
        elif is_command(name, arrival):
            (wanted.commands if is_fresh_word(name.detail, arrival) else wanted.others).append(recipient)
        else:
            has = False if name.detail else await posters.has(name, saying.author)
            (wanted.others if has is False else wanted.posts).append(recipient)
            wanted.unsure |= has is None
    return wanted


def is_command(name: Name, arrival: Arrival) -> bool:
    """By its address or its Subject: what else a command may stand in, some seals do not cover."""
    if not isinstance(name, Reflector) or name.detail not in ("", "request"):
        return isinstance(name, Reflector) and name.detail in WORDS
    return read_line(subject_of(arrival)) is not None


def is_fresh_word(door: str, arrival: Arrival) -> bool:
    """Tell whether a mail is short, answers nothing, reports nothing, and has no other Subject than its command: what
    a program writes by itself to whoever wrote to it (vacations, receipts) is sealed like any mail of its domain."""
    headers, said = arrival.headers, read_line(subject_of(arrival))
    meant = door not in WORDS or (said.word == door if said else not headers.get("subject"))
    answers = headers.has("in-reply-to") or headers.has("references")
    report = headers.get("content-type").lower().startswith("multipart/report")
    return meant and not answers and not report and len(arrival.content) <= COMMAND_OCTETS_MAX


def _address(text: str) -> Address:
    local, _, domain = text.rpartition("@")
    return Address(local, domain)
