"""Text out of headers and bodies, for searching: encoded-words, charsets.

Law: nothing raises and nothing is more than linear; a charset outside the list is read as Latin-1, since some codecs
take quadratic time (punycode: 1 MB, 21 s).
"""

from __future__ import annotations

import codecs
import quopri
import re
from functools import lru_cache

from mail.transfer import decode_base64

_FAMILIES = (
    "ascii utf-8 utf-16 utf-16-be utf-16-le koi8-r koi8-u gb2312 gbk gb18030 big5 big5hkscs euc-jp iso-2022-jp "
    "shift_jis cp932 euc-kr cp949 mac-roman cp437 cp850 cp866 cp874 tis-620"
).split()
_NAMES = [*_FAMILIES, *(f"iso8859-{n}" for n in range(1, 17) if n != 12), *(f"cp125{n}" for n in range(9))]
CHARSETS = frozenset(codecs.lookup(name).name for name in _NAMES)

_ENCODED_WORD = re.compile(rb"=\?([!-<>@-~]{1,60})\?([bBqQ])\?([!->@-~]*)\?=")
_FOLD = re.compile(rb"\r?\n(?=[ \t])")


def decode_charset(octets: bytes, charset: str) -> str:
    """Decode by a charset's name as a message gives it; unknown ones as Latin-1, undecodable octets replaced."""
    name = _codec(charset)
    return octets.decode(name, "replace") if name else _plain(octets)


@lru_cache(maxsize=512)
def _codec(charset: str) -> str:
    try:
        name = codecs.lookup(charset.strip().lower()).name if charset.isascii() and len(charset) < 60 else ""
    except (LookupError, ValueError):
        return ""
    return name if name in CHARSETS else ""


def decode_header(value: bytes) -> str:
    """Decode a header field's value, unfolded."""
    value = _FOLD.sub(b"", value)
    if b"=?" not in value:
        return _plain(value)
    pieces: list[str] = []
    at = 0
    for match in _ENCODED_WORD.finditer(value):
        between = value[at : match.start()]
        if between.strip() or not pieces:  # RFC 2047 6.2: white space between two encoded-words is not shown
            pieces.append(_plain(between))
        pieces.append(_word(match))
        at = match.end()
    return "".join([*pieces, _plain(value[at:])])


def _word(match: re.Match[bytes]) -> str:
    charset, kind, text = match[1].decode("ascii"), match[2], match[3]
    octets = decode_base64(text) if kind in b"bB" else quopri.decodestring(text, header=True)
    return decode_charset(octets, charset.partition("*")[0])  # RFC 2231 5: a language may follow


def _plain(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")
