"""What happens to mail to ``bob@reflectors.D``, step by step.

Law: only the owner's own mail becomes a post, signed in or from an address elsewhere that is hers and that its domain
has sealed; and each only once, by its envid: of sealed mail that is what the seal covers. A command in the Subject is
heard, except that the owner's mail with any text in it is a post whatever its Subject: "help" may be what bob has to
say.
"""

from __future__ import annotations

from email.utils import formataddr

from directory.names import FabricNames
from mail.envelope import Receipt
from mail.headers import add_headers, drop_headers
from mail.outcome import Refused
from reflector.abroad import phrase
from reflector.command_words import is_bare, read_line, subject_of
from reflector.commands import take_command
from reflector.expansion import counts, expand
from reflector.footers import find_footer
from reflector.letter import Letter, Step, drop, walk
from reflector.list_headers import stamp_post
from reflector.loops import hops_of, why_loop
from reflector.repeats import drop_repeats, taken
from reflector.senders import posts_from
from reflector.sources import Source, clean_title, keep_recent, take_number


def drop_loops(letter: Letter) -> Receipt | None:
    reason = why_loop(letter)
    return drop(letter, reason) if reason else None


def hear_commands(letter: Letter) -> Receipt | None:
    command = read_line(subject_of(letter.arrival))
    if command is None or (_is_owners(letter) and not is_bare(letter.arrival)):
        return None
    return take_command(Letter(letter.house, letter.tx, letter.arrival, letter.source, "subject"))


def refuse_strangers(letter: Letter) -> Receipt | None:
    if _is_owners(letter):
        return None
    if letter.arrival.proven:  # since the door asked it was taken away: who sent this is known, its return path is not
        return drop(letter, "not an address of the owner's")
    letter.tell("refused", reason="not the owner", authenticated=letter.arrival.authenticated)
    return Receipt(not_the_owner(letter.house.names, letter.source.name, letter.source))


def send_post(letter: Letter) -> Receipt | None:
    """Number it, stamp it, keep it for those who come later, and send it to all."""
    house, tx, arrival, source = letter.house, letter.tx, letter.arrival, letter.source
    post = take_number(tx, source.list)
    hops, envid = hops_of(arrival), letter.envid
    content = stamp_post(
        house.names,
        source,
        post,
        _in_her_name(letter),
        envid=envid,
        now=arrival.now,
        hops=hops,
        footer=find_footer(tx, source.name),
    )
    keep_recent(tx, source, post, content)
    outgoing = expand(house, tx, source.list, post, content)
    letter.tell("expanded", post=post, **counts(outgoing))
    return taken(letter, (outgoing,), f"2.0.0 Ok: post {post}")


def _is_owners(letter: Letter) -> bool:
    return letter.by_owner or posts_from(letter.tx, letter.source.name, letter.arrival.proven)


def _in_her_name(letter: Letter) -> bytes:
    """From names her as in her other posts, and the trace says nothing: whether followers learn of the address
    elsewhere is hers to say."""
    arrival, person = letter.arrival, letter.house.names.person(letter.source.owner)
    if letter.by_owner:
        return arrival.content
    name = clean_title(phrase(arrival.headers.get("from")))
    others = drop_headers(arrival.content, ("from", "sender", "received"))
    return add_headers(others, [("From", formataddr((name, person)))])


def not_the_owner(names: FabricNames, name: str, source: Source | None) -> Refused:
    """It names the reflector: after "reply to all" that stands beside others, and is the one to be taken out."""
    where, owner = names.reflector(name), source.owner if source else name
    if source and source.backlog:  # only what a machine posts keeps a backlog: there is no person to write to
        reason = f"5.7.1 {where} is a feed, and nobody reads what is written to it"
    else:
        reason = f"5.7.1 only {owner} may post to {where} (signed in); to write to {owner} use {names.person(owner)}"
    return Refused(f"{reason}; to follow send to {names.reflector(name, 'subscribe')}")


POSTING_STEPS: tuple[Step, ...] = (drop_loops, hear_commands, refuse_strangers, drop_repeats, send_post)


def take_post(letter: Letter) -> Receipt:
    return walk(POSTING_STEPS, letter)
