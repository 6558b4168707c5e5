"""What becomes of a message's content between DATA and the queue: trust, completion, trace.

Law: pure. A stranger's ``Heliograph-*`` fields are gone before anything reads them; our own word for a signed-in user
(``Heliograph-Authenticated``) goes to rooms only, never into a copy that a reader sees: she could use it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate

from directory.names import FabricNames, Follow, Name, Reflector
from directory.snapshot import Directory
from heliograph.door.complaints import complained_of
from heliograph.flow import Flow
from mail.address import Address
from mail.control import KeepSent, add_controls
from mail.headers import Headers, add_headers, drop_headers, first_addr_spec, header_line, names_several, split_message
from mail.outcome import Deferred, Refused
from mail.signature import TRUSTED_PREFIX, carries_fabric_fields, claimed_hosts, sign, signer
from spool.door import Envelope, RcptTo, Session


@dataclass(frozen=True, slots=True)
class Part:
    """A message as it is queued for some of its recipients."""

    content: bytes
    recipients: list[RcptTo]
    signed_by: str = ""


def foreign_from(content: bytes, entity: str, names: FabricNames) -> Refused | None:
    """Submission refuses a foreign From: what our users send is signed as our word (RFC 6409 6.1)."""
    fields = Headers.of(content).all("from")
    found = first_addr_spec(fields[0]) if len(fields) == 1 and not names_several(fields[0]) else ""
    if found and names.local_entity(found) == entity:
        return None
    wrong = f"it is {found}" if found else "here there is none that can be read, or more than one"
    return Refused(f"5.7.1 the From field must be one address, {names.person(entity)}; {wrong}")


def arrived(envelope: Envelope, content: bytes, directory: Directory) -> list[Part] | Deferred:
    """Mail from outside or from another host: believe a host's signature, or strip what only a host may say. Deferred
    where it names a host that the zone here does not know yet: stripped, its post would be lost among the mail."""
    if not carries_fabric_fields(content):
        complained = complained_of(directory.names, envelope.recipients, content)
        return [Part(content, part) for part in (envelope.recipients, complained) if part]
    domain = directory.names.domain
    host = signer(content, domain=domain, key_of=directory.key_of)
    if not host and any(claimed not in directory.hosts for claimed in claimed_hosts(content, domain)):
        return Deferred("4.7.5 signed by a host that the zone here does not name")
    return [Part(content if host else _stripped(content), envelope.recipients, host)]


def submitted(
    envelope: Envelope, content: bytes, session: Session, flow: Flow, now: float, fresh_id: str
) -> list[Part]:
    """A signed-in user's mail: completed (RFC 6409 8), vouched for where it goes to a room, and copied for who wants
    that to the room that has her Sent."""
    names, entity = flow.directory().names, session.entity
    content = _completed(_stripped(content), names.domain, now, fresh_id)
    to_rooms = [r for r in envelope.recipients if isinstance(meaning(flow, r), Reflector | Follow)]
    others = [r for r in envelope.recipients if r not in to_rooms] if to_rooms else envelope.recipients
    parts = [Part(content, others)] if others else []
    if to_rooms:
        vouched = add_headers(content, [("Heliograph-Authenticated", entity)])
        # Signed also where the room is here: its bucket may move before the mail is taken from the queue.
        vouched = sign(vouched, domain=names.domain, host=flow.me.host, key=flow.me.key)
        parts.append(Part(vouched, to_rooms, flow.me.host))
    if session.keeps_sent:
        copied = sign(add_controls(content, KeepSent(entity)), domain=names.domain, host=flow.me.host, key=flow.me.key)
        parts.append(Part(copied, [RcptTo(names.timeline(entity))], flow.me.host))
    return parts


def published(content: bytes, session: Session, flow: Flow, now: float, fresh_id: str) -> list[Part] | Refused:
    """An application's post, vouched for as its owner's, for its own source alone. It has words: without any, its
    Subject could be a command of the owner's."""
    names, headers = flow.directory().names, Headers.of(content)
    address = names.reflector(session.source)
    fields = headers.all("from")
    if len(fields) != 1 or names_several(fields[0]) or first_addr_spec(fields[0]) != address:
        return Refused(f"5.7.1 the From field must be one address, {address}")
    if not split_message(content)[1].strip():
        return Refused("5.6.0 a post has a text")
    content = _completed(_stripped(content), names.domain, now, fresh_id)
    vouched = add_headers(content, [("Heliograph-Authenticated", session.entity)])
    vouched = sign(vouched, domain=names.domain, host=flow.me.host, key=flow.me.key)
    return [Part(vouched, [RcptTo(address)], flow.me.host)]


def received_field(session: Session, envelope: Envelope, me: str, number: str, now: float) -> bytes:
    """The trace field (RFC 5321 4.4). Of who signed in it says neither the name nor the address of the client: a post
    carries it to every follower; the log has both. `me`: this host's full name."""
    kind = "LMTP" if session.role == "lmtp" else "UTF8SMTP" if envelope.smtputf8 else "ESMTP"
    kind += ("S" if session.tls else "") + ("A" if session.entity else "")  # RFC 3848
    kind = "HTTPS" if session.role == "https" else kind
    helo, peer = session.client_helo or session.helo, session.client or session.peer
    client = "" if session.entity else f"from {_clean_helo(helo)} ([{peer}])\r\n\t"
    return f"Received: {client}by {me} with {kind} id {number};\r\n\t{formatdate(now)}\r\n".encode()


def _clean_helo(helo: str) -> str:
    return "".join(c for c in helo if c.isascii() and (c.isalnum() or c in ".-:[]"))[:255] or "unknown"


def meaning(flow: Flow, recipient: RcptTo) -> Name:
    """Tell what a recipient means: the door has read its address already."""
    local, _, domain = recipient.address.rpartition("@")
    return flow.name_of(Address(local, domain))


def _stripped(content: bytes) -> bytes:
    return drop_headers(content, prefix=TRUSTED_PREFIX) if carries_fabric_fields(content) else content


def _completed(content: bytes, domain: str, now: float, fresh_id: str) -> bytes:
    headers = Headers.of(content)
    missing = b"" if headers.has("date") else header_line("Date", formatdate(now))
    if not headers.has("message-id"):
        missing += header_line("Message-ID", f"<{fresh_id}@{domain}>")
    return missing + content
