"""What the doors answer: fixed replies, and outcomes made into one safe line.

Law: a reply is one line of printable characters within RFC 5321 4.5.3.1.5's 512 octets, with an enhanced status code
(RFC 2034), whatever an outcome's text holds.
"""

from __future__ import annotations

import errno
import re

from mail.outcome import Deferred, Outcome, reply_line
from store import StandbyBehind, StoreFull

REPLY_OCTETS_MAX = 510

OK = b"250 2.0.0 Ok\r\n"
SENDER_OK = b"250 2.1.0 Ok\r\n"
RECIPIENT_OK = b"250 2.1.5 Ok\r\n"
GO_AHEAD = b"354 End data with <CR><LF>.<CR><LF>\r\n"
BYE = b"221 2.0.0 Bye\r\n"
VERIFY = b"252 2.5.0 Nobody is named here; send some mail and it will be tried\r\n"
NOT_HERE = b"502 5.5.1 Not implemented\r\n"
UNKNOWN = b"500 5.5.2 Unknown command\r\n"
OVERLONG_LINE = b"500 5.5.2 Line too long\r\n"
BARE_LF = b"500 5.5.2 A line ends in CRLF\r\n"
NO_ARGUMENT = b"501 5.5.4 This command takes no argument\r\n"
HELLO_FIRST = b"503 5.5.1 Send %s first\r\n"
HELLO_SYNTAX = b"501 5.5.4 Syntax: %s hostname\r\n"
NESTED_MAIL = b"503 5.5.1 A transaction is open already\r\n"
MAIL_FIRST = b"503 5.5.1 Send MAIL first\r\n"
RCPT_FIRST = b"503 5.5.1 Send RCPT first\r\n"
NO_VALID_RECIPIENTS = b"554 5.5.1 No valid recipients\r\n"
SIGN_IN_FIRST = b"530 5.7.0 Sign in first\r\n"
ABORTED = b"501 5.7.0 Aborted\r\n"
NOT_BASE64 = b"501 5.5.2 That is not base64\r\n"
XFORWARD_SYNTAX = b"501 5.5.4 Syntax: XFORWARD NAME=value ...\r\n"
AUTH_SYNTAX = b"501 5.5.4 Syntax: AUTH mechanism [response]\r\n"
PROOF_SYNTAX = b"501 5.5.4 Syntax: XHELIOGRAPH host proof\r\n"
VRFY_SYNTAX = b"501 5.5.4 Syntax: VRFY address\r\n"
TLS_READY = b"220 2.0.0 Ready to start TLS\r\n"
TLS_NOW = b"503 5.5.1 TLS is on already\r\n"
TOO_MANY_RECIPIENTS = b"452 4.5.3 Too many recipients; send the rest in another transaction\r\n"
TOO_MANY_ERRORS = b"421 4.7.0 Too many errors\r\n"
TOO_MANY_COMMANDS = b"421 4.7.0 Too many commands without a message\r\n"
TOO_MANY_CONNECTIONS = b"421 4.7.0 Too many connections from your address\r\n"
TOO_MANY_SIGN_INS = b"421 4.7.0 Too many failed attempts to sign in\r\n"
TOO_MUCH_DATA = b"421 4.3.1 The message does not end\r\n"
BUSY = b"421 4.3.2 Too many connections, try again later\r\n"
CLOSING = b"421 4.3.2 Closing down, try again later\r\n"
TIMED_OUT = b"421 4.4.2 Timed out\r\n"

SENT_AWAY = (TOO_MANY_ERRORS, TOO_MANY_COMMANDS, TOO_MANY_SIGN_INS, TOO_MUCH_DATA, TIMED_OUT)  # perhaps still sending

DISK_FULL = Deferred("4.3.1 Disk full, try again later")
STANDBY_BEHIND = Deferred("4.3.1 The second copy of what is stored here is behind, try again later")
FAULT = Deferred("4.3.0 A fault here, try again later")

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\xa0\ud800-\udfff]+")
_PLAIN_REPLY = re.compile(r"([245])(\d\d) (?!\d\.\d)")
_STATUS = {"250": "2.0.0", "500": "5.5.2", "501": "5.5.4", "503": "5.5.1"}


def reply_of(outcome: Outcome) -> bytes:
    """Write an outcome as a reply."""
    line = reply_line(outcome)
    if line.isascii() and line.isprintable() and len(line) <= REPLY_OCTETS_MAX:
        return line.encode() + b"\r\n"
    octets = _UNPRINTABLE.sub(" ", line).encode()[:REPLY_OCTETS_MAX]
    return octets.decode(errors="ignore").rstrip().encode() + b"\r\n"


def with_status(reply: str) -> bytes:
    """Give a reply of aiosmtpd's own the enhanced status code that it lacks."""
    if _PLAIN_REPLY.match(reply):
        reply = f"{reply[:4]}{_STATUS.get(reply[:3], f'{reply[0]}.0.0')} {reply[4:]}"
    return reply.encode() + b"\r\n"


def outcome_of_fault(error: BaseException) -> Deferred:
    """Tell a client of a surprise: nothing about our inside, and never "never" (a full disk must not bounce mail)."""
    if isinstance(error, StandbyBehind):
        return STANDBY_BEHIND
    full = isinstance(error, StoreFull) or (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT))
    return DISK_FULL if full else FAULT


def traced(error: Exception) -> Exception | None:
    """What is worth a traceback in the log: a full disk, or a standby that is away, is nobody's fault there."""
    return None if isinstance(error, StoreFull) else error


def printable(text: str) -> str:
    """Write a client's words so that they cannot forge a line of a log."""
    return ascii(text)[1:-1][:300]
