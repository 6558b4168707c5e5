"""APPEND (RFC 3501 6.3.11; UIDPLUS RFC 4315; MULTIAPPEND RFC 3502; BINARY RFC 3516, UTF8=ACCEPT RFC 6855).

Law: all messages of an APPEND, or none. A header with 8-bit characters is taken from any client: RFC 6855 4 would
have it refused from one that did not ask for UTF-8, but then nobody could bring along old mail.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from mailbox_host import entries, folders, quota
from mailbox_host.imap.commands import Append, Command, NewMessage
from mailbox_host.imap.effects import Steps, read, write
from mailbox_host.imap.keywords import TOO_MANY_KEYWORDS, takes_keywords
from mailbox_host.imap.reencoding import without_nul
from mailbox_host.imap.responses import bad, no, ok, split_flags
from mailbox_host.imap.sequence import pack
from mailbox_host.imap.session import Session
from mailbox_host.quota import Quota
from store import Reader, Transaction

TRY_CREATE = no("No such mailbox", "TRYCREATE")


def append_message(session: Session, command: Command) -> Steps[bytes]:
    asked = command.arguments
    assert isinstance(asked, Append)
    if any(message.utf8 for message in asked.messages) and b"UTF8=ACCEPT" not in session.enabled:
        return bad("ENABLE UTF8=ACCEPT first", "CLIENTBUG")  # RFC 6855 4
    messages = yield from _kept_as(asked.messages)
    if messages is None:
        return no("NUL stands where nothing says that it is binary", "UNKNOWN-CTE")
    if any(len(message.content) > session.settings.message_octets_max for message in messages):
        return no("The message is too large", "TOOBIG")
    if not all(message.content for message in messages):
        return no("A message has at least a header", "CANNOT")
    account, mailbox = session.account, asked.mailbox
    folder = yield from read(lambda reader: folders.find_folder(reader, account, mailbox))
    if folder is None:
        return TRY_CREATE
    words = {word for message in messages for word in split_flags(message.flags)[1]}
    if not (yield from takes_keywords(session, folder.id, folder.modseq, words)):
        return TOO_MANY_KEYWORDS
    now, limits = session.clock(), session.settings.quota
    uids = yield from write(partial(_append, account, folder.id, messages, now, limits))
    return ok("Done", f"APPENDUID {folder.uidvalidity} {pack(uids).decode()}")


def _kept_as(messages: tuple[NewMessage, ...]) -> Steps[tuple[NewMessage, ...] | None]:
    """Rewrite what came as literal8 and holds NUL, away from the event loop; None where there is no way."""
    kept = []
    for message in messages:
        content: bytes | None = message.content
        if message.binary and b"\0" in message.content:
            content = yield from read(partial(_without_nul, message.content), long=True)
        if content is None:
            return None
        kept.append(replace(message, content=content))
    return tuple(kept)


def _without_nul(content: bytes, reader: Reader) -> bytes | None:
    return without_nul(content)


def _append(
    account: str, folder: int, messages: tuple[NewMessage, ...], now: float, limits: Quota, tx: Transaction
) -> list[int]:
    """All of them or none (RFC 3502 3)."""
    quota.check_room(tx, account, sum(len(message.content) for message in messages), len(messages), limits)
    uids = []
    for message in messages:
        bits, keywords = split_flags(message.flags)
        arrival = now if message.arrival is None else float(message.arrival)
        uids.append(entries.append(tx, account, folder, message.content, bits, keywords, arrival, now).uid)
    return uids
