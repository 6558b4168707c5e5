"""What an operator can set of the IMAP server, and the limits that nobody needs to.

Law: every buffer, queue and nesting has a limit here, with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mailbox_host.quota import Quota

LINE_OCTETS_MAX = 64 * 1024  # RFC 2683 3.2.1.5 asks for 8,000; clients send long UID sets
LITERAL_BEFORE_LOGIN_MAX = 8 * 1024  # a name and a password; a stranger gets no more of our memory
LITERAL_OCTETS_MAX = 64 * 1024  # names, search strings: what is not a message
LITERALS_MAX = 1000  # of one command: each costs an object
NESTING_MAX = 20  # parentheses of SEARCH and lists; nobody types more, recursion stays shallow
SEARCH_KEYS_MAX = 1000  # of one command: each may read every message
SEQUENCE_RANGES_MAX = 20_000  # what fits a line; merged before use
FLAG_OCTETS_MAX = 200  # a keyword's length
KEYWORDS_MAX = 64  # of one command
KEYWORDS_PER_MAILBOX_MAX = 500  # clients use a dozen; SELECT names them all
BAD_COMMANDS_MAX = 20  # in a row: who talks HTTP at us, or fuzzes, is told BYE
SIGN_INS_FAILED_MAX = 10  # of one connection: a person asks again in a new one
BEFORE_LOGIN_OCTETS_MAX = 64 * 1024  # all that a stranger may send
BEFORE_LOGIN_SECONDS_MAX = 60.0
AUTOLOGOUT_SECONDS = 30 * 60.0  # RFC 3501 5.4: at least 30 minutes
WRITE_SECONDS_MAX = 120.0  # a reader that takes nothing for so long is gone
LARGE_LITERAL_OCTETS = 1024 * 1024  # from here on a literal needs a slot while it arrives
LARGE_LITERALS_MAX = 16  # on their way at a time: 16 messages of the largest size are 560 MiB
LARGE_LITERALS_PER_ACCOUNT_MAX = 2
LARGE_LITERAL_SECONDS_MAX = 600.0  # 36 MB at 60 KB/s; a slot is not for dripping into
READ_BUFFER_OCTETS = 64 * 1024  # arrived and not yet parsed; then the socket is not read
WRITE_BUFFER_OCTETS = 256 * 1024  # sent and not yet taken; then FETCH waits
FETCH_BATCH_OCTETS = 256 * 1024  # of one turn of a FETCH: bounds memory, and how long others wait
FETCH_SHOWN_OCTETS_MAX = 64 * 1024 * 1024  # of parts in one turn: those of the largest message, almost twice
FETCH_BATCH_MESSAGES = 1_000  # rows, facts and headers: a few milliseconds
SEARCH_BATCH_MESSAGES = 500
STORE_BATCH_MESSAGES = 5_000  # flags changed in one write: the writer is everybody's
COPY_BATCH_MESSAGES = 10_000  # likewise of entries made: some 60 ms; more than that is seldom copied at a time
INLINE_MESSAGES_MAX = 50  # a FETCH of so few facts is answered on the loop, quicker than a thread is asked
INLINE_ROWS_MAX = 100_000  # likewise of rows, each counted for each search key: some 3 ms
INLINE_FOLDERS_MAX = 100  # likewise of folders in a LIST, each counted for each pattern
INLINE_OCTETS_MAX = 1024 * 1024  # likewise of messages: a larger one takes tens of milliseconds to read and cut
RECENT_FOLDERS_MAX = 100_000  # folders of which we remember what was \\Recent


@dataclass(frozen=True, slots=True)
class Settings:
    """The operator's choices. `domain`: so that ``alice@domain`` can sign in as ``alice``."""

    domain: str = ""
    host: str = "localhost"
    version: str = "0.1"
    message_octets_max: int = 36_700_160
    connections_max: int = 20_000
    connections_per_address_max: int = 200  # loopback exempt
    cleartext_from_anywhere: bool = False
    quota: Quota = field(default_factory=Quota)
