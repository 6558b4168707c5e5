"""What a session wants done, as values: its generators yield these and are sent the results.

Law: a session touches nothing itself. Whoever runs it (a connection, a test) carries the effects out in order.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from mailbox_host.imap.stand_in import StandIn
from store import Reader, Transaction

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Read:
    """Query the store; the query's result is sent back. `long`: not on the event loop."""

    query: Callable[[Reader], Any]
    long: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """Change the store; sent back once it is durable. `rings`: other sessions of the account may want to look."""

    work: Callable[[Transaction], Any]
    rings: bool = True


@dataclass(frozen=True, slots=True)
class Whole:
    """Carry out these steps to their end, though the connection be ended meanwhile; what they return is sent back. They
    read and write only."""

    steps: Generator[Effect, Any, Any]


@dataclass(frozen=True, slots=True)
class SignIn:
    """Check a password, here or at the account's owner; a SignedIn, NotSignedIn or HandedOver is sent back."""

    account: str
    password: bytes
    tag: bytes

    def __repr__(self) -> str:
        return f"SignIn({self.account!r})"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`shown_from`: its own host is away, and this is a copy."""

    account: str
    shown_from: StandIn | None = None


@dataclass(frozen=True, slots=True)
class NotSignedIn:
    """`status`: the tagged response, without its tag."""

    status: bytes


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The owner has answered with this status; from then on the connection is a pipe to it."""

    status: bytes


@dataclass(frozen=True, slots=True)
class AskLine:
    """Say ``+ prompt`` and read a line, which is sent back."""

    prompt: bytes


@dataclass(frozen=True, slots=True)
class WaitForNews:
    """Sleep until the mailbox may have changed (None is sent back) or the client sends a line (it is sent back)."""


@dataclass(frozen=True, slots=True)
class StartTls:
    """Forget what is buffered, and begin TLS."""


@dataclass(frozen=True, slots=True)
class StartCompression:
    """From here on both sides speak through DEFLATE."""


@dataclass(frozen=True, slots=True)
class Close:
    """Send what is buffered, and close."""


Effect = (
    bytes | Read | Write | Whole | SignIn | AskLine | WaitForNews | StartTls | StartCompression | Close
)  # bytes: to be sent
Steps = Generator[Effect, Any, T]


def read(query: Callable[[Reader], T], long: bool = False) -> Steps[T]:
    result: T = yield Read(query, long)
    return result


def whole(steps: Steps[T]) -> Steps[T]:
    result: T = yield Whole(steps)
    return result


def write(work: Callable[[Transaction], T], rings: bool = True) -> Steps[T]:
    result: T = yield Write(work, rings)
    return result
