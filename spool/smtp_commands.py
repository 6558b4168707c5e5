"""MAIL and RCPT read: from a command's argument to a value, or to the reply that refuses it.

Law: one strict grammar (RFC 5321 4.1.2, and mail.address); an unknown parameter is refused, never skipped
(RFC 5321 4.1.1.11).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mail.address import Address, BadAddress, parse_path
from mail.outcome import Refused
from spool.letter import from_xtext

ENVID_OCTETS_MAX = 100  # RFC 3461 4.4
ORCPT_OCTETS_MAX = 500  # RFC 3461 4.2
SIZE_DIGITS_MAX = 20  # RFC 1870 4

# A path, in which a quoted local part may hold anything; the alternatives start differently, so matching is linear.
_PATH = r'(<(?:"(?:[^"\\]|\\.)*"|[^"<>])*>)'
_MAIL = re.compile(rf"FROM:[ ]*{_PATH}(?: +(.*))?\Z", re.IGNORECASE | re.DOTALL)
_RCPT = re.compile(rf"TO:[ ]*{_PATH}(?: +(.*))?\Z", re.IGNORECASE | re.DOTALL)
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+\Z")  # RFC 3461 4
_UTF8_TEXT = re.compile(r"[!-~\xa1-\ud7ff\ue000-\U0010ffff]+\Z")  # RFC 6533 3, checked by whom it concerns
_ATOM = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*\Z")
_NOTIFY = re.compile(r"(?:NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY)){0,2})\Z", re.IGNORECASE)

MAIL_SYNTAX = Refused("5.5.4 Syntax: MAIL FROM:<address> [parameters]", 501)
RCPT_SYNTAX = Refused("5.5.4 Syntax: RCPT TO:<address> [parameters]", 501)
NEEDS_SMTPUTF8 = Refused("5.6.7 This address needs SMTPUTF8", 553)  # RFC 6531 3.5
NO_RECIPIENT = Refused("5.1.3 No address", 553)


class MailFrom(NamedTuple):
    """MAIL, understood. `sender` None: the null path."""

    sender: Address | None
    size: int = 0
    eightbit: bool = False
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""


class RcptCommand(NamedTuple):
    """RCPT, understood. `orcpt` stays as it came (type;xtext), to be passed on."""

    address: Address
    notify: str = ""
    orcpt: str = ""


class _Wrong(Exception):
    """A parameter cannot be taken; carries the reply."""

    def __init__(self, text: str, code: int = 501) -> None:
        self.refusal = Refused(f"5.5.4 {text}", code)


def parse_mail(argument: str) -> MailFrom | Refused:
    """Read ``FROM:<path> [parameters]``."""
    match = _MAIL.match(argument)
    if not match:
        return _no_path(argument, "FROM:<", "5.1.7", MAIL_SYNTAX)
    try:
        command = MailFrom(parse_path(match[1]))
        if match[2]:
            command = _mail_parameters(command, match[2])
    except BadAddress as why:
        return Refused(f"5.1.7 {why}", 553)
    except _Wrong as wrong:
        return wrong.refusal
    return command if match[1].isascii() or command.smtputf8 else NEEDS_SMTPUTF8


def parse_rcpt(argument: str, domain: str, smtputf8: bool) -> RcptCommand | Refused:
    """Read ``TO:<path> [parameters]``. `domain`: where <postmaster> lives (RFC 5321 4.5.1)."""
    match = _RCPT.match(argument)
    if not match:
        return _no_path(argument, "TO:<", "5.1.3", RCPT_SYNTAX)
    path, rest = match[1], match[2]
    try:
        address = Address("postmaster", domain) if path.lower() == "<postmaster>" else parse_path(path)
        if address is None:
            return NO_RECIPIENT
        command = RcptCommand(address, *_rcpt_parameters(rest, smtputf8)) if rest else RcptCommand(address)
    except BadAddress as why:
        return Refused(f"5.1.3 {why}", 553)
    except _Wrong as wrong:
        return wrong.refusal
    return command if smtputf8 or path.isascii() else NEEDS_SMTPUTF8


def _no_path(argument: str, start: str, status: str, otherwise: Refused) -> Refused:
    if argument.replace(" ", "").upper().startswith(start):
        return Refused(f"{status} Malformed address", 553)
    return otherwise


def _pairs(text: str) -> dict[str, str | None]:
    pairs: dict[str, str | None] = {}
    for word in filter(None, text.split(" ")):
        name, equals, value = word.partition("=")
        name = name.upper()
        if not _ATOM.match(name) or name in pairs or (equals and not value):
            raise _Wrong("Malformed parameters")
        pairs[name] = value if equals else None
    return pairs


def _mail_parameters(command: MailFrom, text: str) -> MailFrom:
    for name, value in _pairs(text).items():
        match name, (value or "").upper():
            case "SIZE", digits if digits.isascii() and digits.isdigit() and len(digits) <= SIZE_DIGITS_MAX:
                command = command._replace(size=int(digits))
            case "BODY", "7BIT" | "8BITMIME" as body:
                command = command._replace(eightbit=body == "8BITMIME")
            case "SMTPUTF8", "" if value is None:
                command = command._replace(smtputf8=True)
            case "RET", "FULL" | "HDRS" as ret:
                command = command._replace(ret=ret)
            case "ENVID", _:
                command = command._replace(envid=_envid(value or ""))
            case "AUTH", said if said:  # RFC 4954 5: who first submitted it; nobody here believes it
                pass
            case (("SIZE" | "BODY" | "SMTPUTF8" | "RET" | "AUTH"), _):
                raise _Wrong(f"Malformed {name}")
            case _:
                raise _Wrong("Unknown parameter", 555)
    return command


def _rcpt_parameters(text: str, smtputf8: bool) -> tuple[str, str]:
    notify = orcpt = ""
    for name, value in _pairs(text).items():
        if name == "NOTIFY":
            if not _NOTIFY.match(value or ""):
                raise _Wrong("Malformed NOTIFY")
            notify = (value or "").upper()
        elif name == "ORCPT":
            orcpt = _orcpt(value or "", smtputf8)
        else:
            raise _Wrong("Unknown parameter", 555)
    return notify, orcpt


def _envid(xtext: str) -> str:
    decoded = from_xtext(xtext)
    if not _XTEXT.match(xtext) or len(xtext) > ENVID_OCTETS_MAX or not re.fullmatch(r"[ -~]+", decoded):
        raise _Wrong("Malformed ENVID")
    return decoded


def _orcpt(value: str, smtputf8: bool) -> str:
    kind, _, address = value.partition(";")
    grammar = _UTF8_TEXT if smtputf8 and kind.lower() == "utf-8" else _XTEXT
    if not _ATOM.match(kind) or not grammar.match(address) or len(value.encode()) > ORCPT_OCTETS_MAX:
        raise _Wrong("Malformed ORCPT")
    return value
