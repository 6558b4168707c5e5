"""A footer: the words that a source's owner has put under what leaves for mailboxes outside; and the field in which
they travel with a post to the host that sends it there.

Law: pure. What is read back from a field is judged as on the day it was set: who gets it need not trust who sent it.
"""

from __future__ import annotations

import base64
import binascii
import re

from mail.headers import Headers

FIELD = "Heliograph-Footer"  # signed with the others of this name (mail/signature.py), and gone before a post leaves
OCTETS_MAX = 1_024  # every copy has it, and every stored post has it in its header: it is a few lines, no letter
LINES_MAX = 10  # more is no footer, and pushes what was said off a small screen
LINE_OCTETS_MAX = 500  # a line of mail ends at 998 (RFC 5322 2.1.1), and a way out put into it has up to 350
WAY_OUT = "%unsubscribe%"  # each copy has its own link in its place

DELIMITER = "-- "  # RFC 3676 4.3: what follows is shown apart, and left out of answers
_PLACEHOLDER = re.compile(r"%[a-z_]{2,30}%")
_OWN_DELIMITER = re.compile(r"(?:--|__|==|\*\*|~~)")
_JOINERS = "\u200c\u200d"  # without them some scripts and emoji fall apart; other such characters hide or turn text
_LOST = "\ufffd"  # stands for what could not be read
_CHUNK = 72


def clean(text: str) -> str:
    """Return words as they are kept: lines that end in nothing but their own characters, no empty ones around them."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    spaced = ("".join(" " if c.isspace() else c for c in line).rstrip() for line in lines)
    return "\n".join(spaced).strip("\n")


def fault_of(text: str) -> str:
    """Tell why words that are clean cannot be a footer, as the end of a sentence; "" where they can."""
    lines = text.split("\n")
    octets = [len(line.encode("utf-8", "surrogatepass")) for line in lines]
    unknown = [word for word in _PLACEHOLDER.findall(text) if word != WAY_OUT]
    odd = [c for c in text if c == _LOST or not (c.isprintable() or c == "\n" or c in _JOINERS)]
    if not text.strip():
        return "there are no words in it"
    if odd:
        return f"it has a character that cannot be shown (U+{ord(odd[0]):04X}): write plain text"
    if len(lines) > LINES_MAX:
        return f"it has {len(lines)} lines: {LINES_MAX} at most"
    if sum(octets) + len(lines) > OCTETS_MAX:
        return f"it has {sum(octets) + len(lines)} octets: {OCTETS_MAX} at most, for every copy carries them"
    if max(octets) > LINE_OCTETS_MAX:
        return f"it has a line of {max(octets)} octets: {LINE_OCTETS_MAX} at most, mail knows no longer ones"
    if unknown:
        return f"{unknown[0]} means nothing here: {WAY_OUT} is the only word that is replaced"
    if text.count(WAY_OUT) > 1:
        return f"{WAY_OUT} stands in it more than once"
    return ""


def shown(text: str) -> str:
    """The lines as a reader gets them: under the delimiter, unless the owner drew a line of his own."""
    return text if _OWN_DELIMITER.match(text) else f"{DELIMITER}\n{text}"


def field_of(text: str) -> bytes:
    """Write the field: base64, so that no word in it can be anything else in a header."""
    packed = base64.b64encode(text.encode()).decode()
    chunks = (packed[at : at + _CHUNK] for at in range(0, len(packed), _CHUNK))
    return "".join([f"{FIELD}:", *(f"\r\n {chunk}" for chunk in chunks), "\r\n"]).encode()


def footer_of(headers: Headers) -> str:
    """Read it; "" where there is none, or none that could have been set."""
    packed = headers.get(FIELD).replace(" ", "")
    try:
        text = base64.b64decode(packed, validate=True).decode()
    except (binascii.Error, ValueError):  # UnicodeError is one
        return ""
    return text if text and text == clean(text) and not fault_of(text) else ""
