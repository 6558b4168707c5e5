"""One part of a message, as offsets into its bytes.

Law: a part holds no text of the message's body; whoever has the bytes can cut from them what it names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mailbox_host.media import DIGEST_CHILD, PLAIN_TEXT, Media

LEVELS_MAX = 50  # multipart in multipart, message in message: mail has 5; recursion of what walks the tree is bounded
PARTS_MAX = 1000  # in one message; the rest of it belongs to the last part

__all__ = ["LEVELS_MAX", "PARTS_MAX", "Part"]


@dataclass(slots=True)
class Part:
    """A header block and a body. `header_end` is where the body begins, after the empty line.

    `children` are the parts of a multipart, `message` is what a message/rfc822 holds. `fields`: the header's fields
    that matter here, by name in lower case, unfolded; of one that is there twice, the first (address lists: joined).
    """

    header_start: int
    header_end: int
    body_end: int
    fields: dict[bytes, bytes] = field(default_factory=dict)
    media: Media = PLAIN_TEXT
    lines: int = 0
    children: list[Part] = field(default_factory=list)
    message: Part | None = None

    @property
    def is_multipart(self) -> bool:
        return self.media.type.lower() == b"multipart"

    @property
    def type(self) -> str:
        """In lower case: ``text``."""
        return self.media.type.decode("latin-1").lower()

    @property
    def subtype(self) -> str:
        """In lower case: ``plain``."""
        return self.media.subtype.decode("latin-1").lower()

    @property
    def charset(self) -> str:
        """As the message gives it, or "us-ascii" (RFC 2045 5.2)."""
        return (self.media.parameter(b"charset") or b"us-ascii").decode("latin-1")

    @property
    def encoding(self) -> str:
        """Content-Transfer-Encoding in lower case; "7bit" where there is none (RFC 2045 6.1)."""
        return transfer_encoding(self).decode("latin-1").lower()

    def header(self, content: bytes) -> bytes:
        return content[self.header_start : self.header_end]

    def body(self, content: bytes) -> bytes:
        return content[self.header_end : self.body_end]

    def walk(self) -> Iterator[Part]:
        """Yield this part and all below it, in their order in the message."""
        waiting = [self]
        while waiting:
            part = waiting.pop()
            yield part
            waiting += reversed(part.children)
            if part.message:
                waiting.append(part.message)


def transfer_encoding(part: Part) -> bytes:
    """The encoding's name as it stands, without comments or parameters."""
    words = part.fields.get(b"content-transfer-encoding", b"").replace(b";", b" ").split()
    return words[0] if words else b"7bit"


def default_media(parent: Part | None) -> Media:
    """RFC 2046 5.1.5: what a digest holds are messages."""
    return DIGEST_CHILD if parent is not None and parent.media.subtype.lower() == b"digest" else PLAIN_TEXT
