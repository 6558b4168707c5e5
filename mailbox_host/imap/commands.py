"""What a client can ask for, as values.

Law: a command says what was asked, with names decoded and nothing resolved; it knows no mailbox and no state.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailbox_host.flags import Operation
from mailbox_host.imap.keys import And as And
from mailbox_host.imap.keys import Key as Key
from mailbox_host.imap.keys import Not as Not
from mailbox_host.imap.keys import Or as Or
from mailbox_host.imap.keys import SearchKey as SearchKey
from mailbox_host.imap.keys import Value as Value
from mailbox_host.imap.sequence import SequenceSet


@dataclass(frozen=True, slots=True)
class Simple:
    """A command without arguments: NOOP, CAPABILITY, LOGOUT, IDLE, CHECK, CLOSE, UNSELECT, STARTTLS, NAMESPACE ..."""


@dataclass(frozen=True, slots=True)
class Login:
    user: bytes
    password: bytes

    def __repr__(self) -> str:
        return "Login(...)"  # a password is never logged


@dataclass(frozen=True, slots=True)
class Authenticate:
    mechanism: bytes
    initial: bytes | None  # SASL-IR, still in base64

    def __repr__(self) -> str:
        return "Authenticate(...)"


@dataclass(frozen=True, slots=True)
class Identify:
    """ID (RFC 2971)."""

    fields: tuple[tuple[bytes, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Enable:
    """What is to be turned on: of capabilities with ENABLE, one mechanism with COMPRESS."""

    capabilities: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Resync:
    """What a client remembers of a mailbox (QRESYNC, RFC 7162 3.2.5). `known`: the UIDs; None stands for all."""

    uidvalidity: int
    modseq: int
    known: SequenceSet | None


@dataclass(frozen=True, slots=True)
class Open:
    """SELECT, EXAMINE."""

    mailbox: str
    condstore: bool = False
    resync: Resync | None = None


@dataclass(frozen=True, slots=True)
class OnMailbox:
    """DELETE, SUBSCRIBE, UNSUBSCRIBE, GETQUOTAROOT."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class Create:
    mailbox: str
    parent_only: bool  # the name ended in the separator: it will have children
    special_uses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rename:
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class List:
    """LIST and LSUB (RFC 3501 6.3.8, 6.3.9; RFC 5258)."""

    reference: str
    patterns: tuple[str, ...]
    select: frozenset[bytes] = frozenset()
    returns: frozenset[bytes] = frozenset()
    status: tuple[bytes, ...] = ()
    extended: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    mailbox: str
    items: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class QuotaRoot:
    """GETQUOTA, SETQUOTA (RFC 9208 4.1)."""

    name: bytes


@dataclass(frozen=True, slots=True)
class NewMessage:
    """`binary`: it came as ``~{n}``, and may hold NUL (RFC 3516 4.4); `utf8`: in ``UTF8 (~{n})`` (RFC 6855 4)."""

    flags: tuple[str, ...]
    arrival: int | None
    content: bytes
    binary: bool = False
    utf8: bool = False


@dataclass(frozen=True, slots=True)
class Append:
    """Several where the client sends them in one command (MULTIAPPEND, RFC 3502)."""

    mailbox: str
    messages: tuple[NewMessage, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """What is between the brackets of BODY[...]. `text`: "", HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT, MIME."""

    path: tuple[int, ...] = ()
    text: str = ""
    fields: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class BodyPart:
    """BODY[section]<start.count>, and its older spellings RFC822, RFC822.HEADER, RFC822.TEXT, by their label.

    `decoded`: BINARY[...] (RFC 3516 4.2); `size` as well: BINARY.SIZE[...].
    """

    section: Section
    label: bytes
    peek: bool
    partial: tuple[int, int] | None = None
    decoded: bool = False
    size: bool = False


FetchItem = str | BodyPart


@dataclass(frozen=True, slots=True)
class Fetch:
    messages: SequenceSet
    items: tuple[FetchItem, ...]
    changed_since: int | None = None
    vanished: bool = False


@dataclass(frozen=True, slots=True)
class Store:
    messages: SequenceSet
    operation: Operation
    flags: tuple[str, ...]
    silent: bool
    unchanged_since: int | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY, MOVE."""

    messages: SequenceSet
    mailbox: str


@dataclass(frozen=True, slots=True)
class UidExpunge:
    messages: SequenceSet


@dataclass(frozen=True, slots=True)
class Search:
    key: SearchKey
    returns: frozenset[bytes] | None = None  # RETURN (...): answer with ESEARCH (RFC 4731)
    charset: bool = False  # one was named


@dataclass(frozen=True, slots=True)
class Sort:
    """SORT (RFC 5256): by these keys, each with whether it is reversed."""

    order: tuple[tuple[str, bool], ...]
    key: SearchKey


@dataclass(frozen=True, slots=True)
class Thread:
    """THREAD (RFC 5256)."""

    algorithm: str
    key: SearchKey


Arguments = (
    Simple
    | Login
    | Authenticate
    | Identify
    | Enable
    | Open
    | OnMailbox
    | Create
    | Rename
    | List
    | Status
    | QuotaRoot
    | Append
    | Fetch
    | Store
    | Copy
    | UidExpunge
    | Search
    | Sort
    | Thread
)


@dataclass(frozen=True, slots=True)
class Command:
    """A tagged command. `name` in capitals; `uid`: it came as UID FETCH, UID STORE ..."""

    tag: bytes
    name: str
    uid: bool
    arguments: Arguments
