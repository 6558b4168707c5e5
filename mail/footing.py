"""A footer put under a message: where its words go, and how they are packed there.

Law: pure, and it never raises. Whatever was in the message says the same afterwards, octet for octet if it was signed
or encrypted: such mail, and what cannot be read for sure, is left alone (None). The text is looked through, never
unpacked, but for small base64; and what is added comes last, so that all copies have the rest in common.

Lines of plain text are continued where its charset and encoding can say the words; all else becomes the first part of
a multipart/mixed whose last one they are, as with Mailman. An ASCII message stays one: it was made fit for its next
host.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from collections.abc import Callable
from dataclasses import dataclass

from mail.boundaries import boundary_of
from mail.headers import Headers, add_headers, drop_headers, take_fields

REPACKED_OCTETS_MAX = 1 << 20  # of base64 that is unpacked and packed again, some ms; a longer text is wrapped
LOOKS_MAX = 100  # for a multipart's last line: more that only begin like it are made to cost us time
VALUE_CHARACTERS_MAX = 2_000  # of a Content-Type that is looked at

# Signed or encrypted as a whole (RFC 1847, 8551, 3156): readers' clients find that at the top or not at all. A piece of
# a message, an invitation and a report are for machines, which look at the top too.
LEFT_ALONE = frozenset(
    "multipart/signed multipart/encrypted multipart/report application/pkcs7-mime application/x-pkcs7-mime"
    " application/pgp application/pgp-encrypted message/partial message/external-body text/calendar".split()
)
_KIND = re.compile(r"[a-z0-9!#$&^_.+-]{1,64}/[a-z0-9!#$&^_.+-]{1,64}\Z")
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([A-Za-z0-9_-]{1,30})', re.IGNORECASE)
_FLOWED = re.compile(r';\s*format\s*=\s*"?flowed', re.IGNORECASE)
# Supersets of ASCII without states: words can follow wherever a line has ended.
_CONTINUABLE = re.compile(
    r"(?:us-ascii|utf-8|iso-8859-\d{1,2}|windows-125\d|koi8-[ru]|gbk|gb2312|gb18030|big5|euc-jp|euc-kr|shift_jis)\Z",
    re.IGNORECASE,
)
_STUFFED = re.compile(r"(?m)^(?=[ >]|From )")  # RFC 3676 4.4
_BASE64_LINE = 57  # octets, 76 characters (RFC 2045 6.8)

End = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Footed:
    """A message as far as all its copies have it in common, with a line end last; `end`: what follows, of the words
    that one copy has."""

    block: bytes
    text: bytes
    end: End


def foot(block: bytes, text: bytes, words: str) -> Footed | None:
    """Find the place for words (lines, LF between them) under a message, CRLF only, as `split_message` cuts it."""
    headers = Headers.parse(block)
    if not block.endswith(b"\r\n\r\n") or any(len(headers.all(name)) > 1 for name in _ONCE):
        return None
    said = headers.get("content-type", "text/plain")
    kind = said[:VALUE_CHARACTERS_MAX].partition(";")[0].strip().lower()
    if len(said) > VALUE_CHARACTERS_MAX or not _KIND.match(kind) or kind in LEFT_ALONE:
        return None
    if kind == "multipart/mixed":
        return _joined(block, text, said, words)
    continued = _continued(headers, text, said, words) if kind == "text/plain" else None
    return Footed(_without_sums(block), *continued) if continued else _wrapped(block, text, words)


_ONCE = ("content-type", "content-transfer-encoding", "content-disposition", "mime-version")


def _without_sums(block: bytes) -> bytes:
    """What was counted or summed up of the text is not true any more."""
    return drop_headers(block, ("content-md5", "content-length", "lines"))


# --- plain text


def _continued(headers: Headers, text: bytes, said: str, words: str) -> tuple[bytes, End] | None:
    """Return a plain text and how it goes on; None where it cannot say these words."""
    charset = _CHARSET.search(said)
    codec = charset[1] if charset else "us-ascii" if "charset" not in said.lower() else ""
    if not _CONTINUABLE.match(codec) or headers.get("content-disposition").lower().startswith("attach"):
        return None
    try:
        octets = words.encode(codec)
    except (LookupError, UnicodeError):
        return None
    flowed = bool(_FLOWED.search(said))

    def lines(words: str) -> bytes:
        stuffed = _STUFFED.sub(" ", words) if flowed else words
        return f"\n{stuffed}\n".replace("\n", "\r\n").encode(codec)

    encoding = headers.get("content-transfer-encoding", "7bit").lower()
    text = text if not text or text.endswith(b"\r\n") else text + b"\r\n"
    if encoding == "quoted-printable":
        return text, lambda words: _quoted(lines(words))
    if encoding == "base64":
        return _repacked(text, lines)
    if encoding not in ("7bit", "8bit", "binary") or not (octets.isascii() or _has_eight_bits(text, encoding)):
        return None
    return text, lines


def _has_eight_bits(text: bytes, encoding: str) -> bool:
    return encoding != "7bit" and not text.isascii()


def _quoted(lines: bytes) -> bytes:
    return quopri.encodestring(lines.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")


def _repacked(text: bytes, lines: End) -> tuple[bytes, End] | None:
    if len(text) > REPACKED_OCTETS_MAX:
        return None
    try:
        octets = binascii.a2b_base64(text)
    except binascii.Error:
        return None
    octets = octets if not octets or octets.endswith(b"\n") else octets + b"\r\n"
    whole = len(octets) - len(octets) % _BASE64_LINE
    rest = octets[whole:]
    return _packed(octets[:whole]), lambda words: _packed(rest + lines(words))


def _packed(octets: bytes) -> bytes:
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


# --- parts


def _joined(block: bytes, text: bytes, said: str, words: str) -> Footed | None:
    """One more part of a multipart/mixed; what stands behind its last line is nobody's text, and goes."""
    boundary = boundary_of(said).encode() if "\\" not in said else b""  # readers differ about that
    good = boundary and f"--{boundary.decode()}" not in words  # their part would end there
    last = _last_line(text, boundary) if good else -1
    return Footed(block, text[:last], lambda words: _part(boundary, words)) if last > 0 else None


def _last_line(text: bytes, boundary: bytes) -> int:
    """Where the line stands that ends a multipart (RFC 2046 5.1.1); -1 where none does, or no part is before it."""
    line = b"\r\n--" + boundary + b"--"
    first, at = text.find(b"--" + boundary + b"\r\n"), -1
    for _ in range(LOOKS_MAX if first >= 0 else 0):
        at = text.find(line, at + 1)
        behind = text[at + len(line) : at + len(line) + 80].lstrip(b" \t")
        if at < 0 or not behind or behind.startswith(b"\r\n"):
            return at + 2 if at > first else -1
    return -1


def _wrapped(block: bytes, text: bytes, words: str) -> Footed | None:
    """The whole message becomes the first part; its own fields about what it is go with it."""
    free = (f"=_footer.{number}" for number in range(3))  # "=_" is in no base64 and no quoted-printable
    boundary = next((one.encode() for one in free if f"--{one}".encode() not in text and one not in words), b"")
    if not boundary:
        return None
    inner, outer = take_fields(block, "content-")
    fields = [("Content-Type", f'multipart/mixed; boundary="{boundary.decode()}"')]
    fields += [] if text.isascii() else [("Content-Transfer-Encoding", "8bit")]
    fields += [] if Headers.parse(outer).has("mime-version") else [("MIME-Version", "1.0")]
    text = b"--" + boundary + b"\r\n" + inner + b"\r\n" + text
    text += b"" if text.endswith(b"\r\n") else b"\r\n"
    return Footed(add_headers(outer, fields), text, lambda words: b"\r\n" + _part(boundary, words))


def _part(boundary: bytes, words: str) -> bytes:
    """The last part and the last line."""
    octets = f"{words}\n".replace("\n", "\r\n").encode()
    charset, encoding = ("us-ascii", "7bit") if octets.isascii() else ("utf-8", "quoted-printable")
    head = (
        f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n"
        "Content-Disposition: inline\r\n\r\n"
    ).encode()
    packed = octets if encoding == "7bit" else _quoted(octets)
    return b"--" + boundary + b"\r\n" + head + packed + b"\r\n--" + boundary + b"--\r\n"
