"""Errands become mail: to lists, to the timeline, to the hosts that poll.

Law: pure of I/O and of the database. Who is signed in is obeyed at once, for herself alone, and every list answers her
itself; anybody else is asked by the list first.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from email.utils import formatdate

from directory.names import FabricNames
from ingest.errands import Errand, Follow, Help, ListAll, Newsletter, Unfollow
from ingest.header_text import unstructured
from ingest.wish import Wish
from mail.control import Control, Sift, Subscribe, TellFollows, Unsubscribe, WantNewsletter, add_controls
from mail.envelope import Outgoing, Recipient
from mail.headers import header_line

NEWS = "news"  # alice+news@D: where her newsletters are seen to


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: an address, the entity if she signed in, the Message-ID of what she wrote, and when it came."""

    address: str
    entity: str
    about: str
    now: float


def carry_out(names: FabricNames, who: Asker, errand: Errand) -> list[Outgoing]:
    """Return what is to be sent; nothing for what is answered at once, or is another host's (`url`)."""
    match errand:
        case Follow(source, options):
            return follow(names, who, source, options)
        case Unfollow(source, "") if source:
            return unfollow(names, who, source)
        case ListAll(as_list) if who.entity:
            return [_to_timeline(names, who.entity, "", TellFollows(who.about, as_list), who.now)]
        case Newsletter(name, folder, drop) if who.entity:
            wanted = WantNewsletter(name, folder, drop, who.about)
            return [_to_timeline(names, who.entity, f"+{NEWS}", wanted, who.now)]
    return []


def follow(names: FabricNames, who: Asker, source: str, options: Wish) -> list[Outgoing]:
    if not who.entity:
        return [_to_list(names, source, Subscribe(source, who.address, options.folder, confirmed=False), who.now)]
    sifted = sift_mail(names, who.entity, source, options.only, options.without, who.now)
    return [sifted, _in_her_name(names, who, source, "subscribe", f"subscribe folder={_quoted(options.folder)}")]


def unfollow(names: FabricNames, who: Asker, source: str) -> list[Outgoing]:
    if not who.entity:
        return [_to_list(names, source, Unsubscribe(source, who.address, confirmed=False), who.now)]
    return [_in_her_name(names, who, source, "unsubscribe", "unsubscribe")]


def sift_mail(names: FabricNames, entity: str, source: str, only: str, without: str, now: float) -> Outgoing:
    """Tell a timeline which posts of a source it is to keep; no words: all."""
    return _to_timeline(names, entity, "", Sift(source, only, without, int(now * 1_000)), now)


def told(names: FabricNames, who: Asker, errand: Errand) -> str:
    """Say in a few words what is done about an errand."""
    match errand:
        case Follow() | Unfollow() if who.entity:
            return "was asked for; you hear of it by a mail of its own"
        case Follow() | Unfollow():
            return "you are asked first, by a mail of its own"
        case Help():
            return "see below"
        case ListAll() | Newsletter() if who.entity:
            return "the answer comes in a mail of its own"
        case Newsletter():
            return f"is for people with an account at {names.domain}, signed in"
    return "is known only of people with an account here; every post says how to stop it"


def _in_her_name(names: FabricNames, who: Asker, source: str, word: str, line: str) -> Outgoing:
    """A command as she would have mailed it; where it cannot be, she hears of it as of any mail of hers."""
    seed = f"{who.address}\0{source}\0{line}\0{who.about}\0{who.now}".encode("utf-8", "replace")
    fields = [
        ("From", who.address),
        ("To", names.reflector(source, word)),
        ("Subject", unstructured(line)),
        ("Date", formatdate(who.now)),
        ("Message-ID", f"<{hashlib.blake2b(seed, digest_size=12).hexdigest()}.follow@{names.domain}>"),
        ("Heliograph-Authenticated", who.entity),
    ]
    content = b"".join(header_line(*field) for field in fields) + b"\r\n"
    return Outgoing(who.address, (Recipient(names.reflector_inside(source, word)),), content, signed=True)


def _to_list(names: FabricNames, source: str, control: Control, now: float) -> Outgoing:
    return _control_mail(names, names.reflector_inside(source, "control"), control, now)


def _to_timeline(names: FabricNames, entity: str, detail: str, control: Control, now: float) -> Outgoing:
    return _control_mail(names, names.timeline(entity).replace("@", f"{detail}@"), control, now)


def _control_mail(names: FabricNames, to: str, control: Control, now: float) -> Outgoing:
    seed = f"{to}\0{control}\0{now}".encode("utf-8", "replace")
    fields = [
        ("From", f"Follow <{names.follow()}>"),
        ("To", to),
        ("Subject", type(control).__name__),
        ("Date", formatdate(now)),
        ("Message-ID", f"<{hashlib.blake2b(seed, digest_size=12).hexdigest()}.follow@{names.domain}>"),
        ("Auto-Submitted", "auto-generated"),
    ]
    head = b"".join(header_line(*field) for field in fields)
    return Outgoing("", (Recipient(to),), add_controls(head + b"\r\n", control), signed=True)


def _quoted(folder: str) -> str:
    return '"' + folder.replace('"', "") + '"'
