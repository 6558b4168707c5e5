"""The arguments of FETCH (RFC 3501 6.4.5; BINARY RFC 3516, PREVIEW RFC 8970).

Law: macros and old spellings are resolved here; what comes out is a flat tuple of items, each once.
"""

from __future__ import annotations

import re

from mailbox_host.imap.commands import Arguments, BodyPart, Fetch, FetchItem, Section
from mailbox_host.imap.syntax import BadSyntax, Cursor, is_number32

ITEMS_MAX = 100  # of one FETCH; each may carry a message
FIELDS_MAX = 200  # of one HEADER.FIELDS
PATH_MAX = 50  # the depth of the MIME scanner

_ITEM = re.compile(rb"[A-Za-z0-9.]+")
_PATH = re.compile(rb"[1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*")
_SECTION_TEXT = re.compile(rb"(?i)HEADER\.FIELDS\.NOT|HEADER\.FIELDS|HEADER|TEXT|MIME")
_PARTIAL = re.compile(rb"<([0-9]{1,10})\.([1-9][0-9]{0,9})>")
_LAZY = re.compile(rb"(?i) \(LAZY\)")
_LIST_FOLLOWS = re.compile(rb" (?=\()")
_FIELD = re.compile(rb"[!-9;-~]+\Z")
_PLAIN_FIELD = re.compile(rb"[!#$&'+,\-./0-9;<=>?@A-Z\[^_`a-z|}~]+\Z")

_FAST = ("FLAGS", "INTERNALDATE", "RFC822.SIZE")
_MACROS: dict[bytes, tuple[str, ...]] = {
    b"FAST": _FAST,
    b"ALL": (*_FAST, "ENVELOPE"),
    b"FULL": (*_FAST, "ENVELOPE", "BODY"),
}
_PLAIN = frozenset({*_FAST, "ENVELOPE", "BODYSTRUCTURE", "UID", "BODY", "MODSEQ", "EMAILID", "THREADID"})
_BINARY = frozenset({b"BINARY", b"BINARY.PEEK", b"BINARY.SIZE"})
_OLD = {
    b"RFC822": BodyPart(Section(), b"RFC822", peek=False),
    b"RFC822.HEADER": BodyPart(Section((), "HEADER"), b"RFC822.HEADER", peek=True),
    b"RFC822.TEXT": BodyPart(Section((), "TEXT"), b"RFC822.TEXT", peek=False),
}


def fetch_arguments(cursor: Cursor) -> Arguments:
    cursor.space()
    messages = cursor.sequence_set()
    cursor.space()
    if cursor.peek() == b"(":
        items = cursor.parenthesized(lambda: _item(cursor, cursor.take(_ITEM, "an item").upper()), ITEMS_MAX)
    else:
        first = cursor.take(_ITEM, "an item").upper()
        items = _MACROS.get(first) or (_item(cursor, first),)
    if not items:
        raise BadSyntax("expected an item")
    asked = dict(cursor.parenthesized(lambda: _modifier(cursor), 2)) if cursor.skip(_LIST_FOLLOWS) else {}
    if b"VANISHED" in asked and b"CHANGEDSINCE" not in asked:
        raise BadSyntax("VANISHED needs CHANGEDSINCE")  # RFC 7162 3.2.6
    return Fetch(messages, tuple(dict.fromkeys(items)), asked.get(b"CHANGEDSINCE"), b"VANISHED" in asked)


def _modifier(cursor: Cursor) -> tuple[bytes, int]:
    """RFC 7162 3.1.4.1, 3.2.6."""
    word = cursor.word()
    if word == b"VANISHED":
        return word, 0
    if word != b"CHANGEDSINCE":
        raise BadSyntax("unknown modifier")
    cursor.space()
    return word, cursor.number()


def _item(cursor: Cursor, name: bytes) -> FetchItem:
    if name in (b"BODY", b"BODY.PEEK") and cursor.skip_text(b"["):
        return _body_part(cursor, peek=name == b"BODY.PEEK")
    if name in _BINARY and cursor.skip_text(b"["):
        return _binary_part(cursor, name)
    if name == b"PREVIEW":  # RFC 8970 3
        return "PREVIEW (LAZY)" if cursor.skip(_LAZY) else "PREVIEW"
    if name in _OLD:
        return _OLD[name]
    text = name.decode("ascii")
    if text not in _PLAIN:
        raise BadSyntax("unknown item")
    return text


def _body_part(cursor: Cursor, peek: bool) -> BodyPart:
    section = _section(cursor)
    cursor.expect(b"]")
    partial, start = _partial(cursor)
    return BodyPart(section, b"BODY[" + _label(section) + b"]" + start, peek, partial)


def _binary_part(cursor: Cursor, name: bytes) -> BodyPart:
    section = Section(_path(cursor))
    cursor.expect(b"]")
    size = name == b"BINARY.SIZE"
    partial, start = (None, b"") if size else _partial(cursor)
    label = name.removesuffix(b".PEEK") + b"[" + _label(section) + b"]" + start
    return BodyPart(section, label, name != b"BINARY", partial, decoded=True, size=size)


def _partial(cursor: Cursor) -> tuple[tuple[int, int] | None, bytes]:
    """``<start.count>``, and what the answer says of it."""
    match = cursor.skip(_PARTIAL)
    return ((int(match[1]), int(match[2])), b"<%d>" % int(match[1])) if match else (None, b"")


def _path(cursor: Cursor) -> tuple[int, ...]:
    match = cursor.skip(_PATH)
    path = tuple(int(number) for number in match[0].split(b".", PATH_MAX)[:PATH_MAX]) if match else ()
    if len(path) >= PATH_MAX or any(not is_number32(number) for number in path):
        raise BadSyntax("bad part number")
    return path


def _section(cursor: Cursor) -> Section:
    path = _path(cursor)
    if path and not cursor.skip_text(b"."):
        return Section(path)
    word = cursor.skip(_SECTION_TEXT)
    if word is None:
        if path:
            raise BadSyntax("bad section")
        return Section()
    text = word[0].decode("ascii").upper()
    if text == "MIME" and not path:
        raise BadSyntax("MIME needs a part number")
    return Section(path, text, _fields(cursor) if text.startswith("HEADER.FIELDS") else ())


def _fields(cursor: Cursor) -> tuple[bytes, ...]:
    cursor.space()
    fields = cursor.parenthesized(cursor.astring, FIELDS_MAX)
    if not fields or not all(_FIELD.match(field) for field in fields):
        raise BadSyntax("bad header field name")
    return tuple(field.upper() for field in fields)


def _label(section: Section) -> bytes:
    path = ".".join(str(number) for number in section.path)
    label = (f"{path}.{section.text}" if path and section.text else path or section.text).encode()
    return label + b" (" + b" ".join(_quoted(field) for field in section.fields) + b")" if section.fields else label


def _quoted(field: bytes) -> bytes:
    if _PLAIN_FIELD.match(field):
        return field
    return b'"' + field.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
