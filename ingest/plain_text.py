"""Sanitised HTML as a text that is pleasant in a terminal: links as notes below, lines that flow.

Law: whatever the text maker trips over, the words are still there. A line is at most 72 columns, longer ones flow on
(RFC 3676), but for what was laid out by hand. Between the two steps a quoted line begins with a QUOTE for each depth.
"""

from __future__ import annotations

import re
import textwrap

import inscriptis
from inscriptis.css_profiles import STRICT_CSS_PROFILE
from inscriptis.html_properties import Display, WhiteSpace
from inscriptis.model.config import ParserConfig
from inscriptis.model.html_element import HtmlElement

from ingest.raw_item import stripped

TEXT_CHARACTERS_MAX = 200_000
NOTES_MAX = 200  # links that get a note; who lists more, lists addresses
COLUMNS = 72
QUOTE, QUOTE_ENDS, INDENT = "\ue000", "\ue001", "\ue002"  # private use: no publisher's text keeps them
QUOTES_MAX = 8  # deeper is shown as deep
TERMINAL_COLUMNS = 100

_EMPTY_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*){2,}")
_LINK = re.compile(r"\[(\[[^\[\]\n]{0,500}\]|[^\[\]\n]{0,500})\]\(([^\s()]{1,2000})\)")
_BLOCKQUOTE = re.compile(r"<(/?)blockquote\b[^<>]*>")
_MARKED = re.compile(rf"[{QUOTE}{QUOTE_ENDS}{INDENT}]")
_CODE = re.compile(r"<pre\b.*?</pre>", re.DOTALL)
_INDENTED = re.compile(r"^ +(?=\S)", re.MULTILINE)
_IMAGE = re.compile(r"<img\b[^<>]*>")
_ALT = re.compile(r"\balt=\"([^\"]*)\"")
_LAID_OUT = re.compile(r"\S {3,}\S|^ {4,}(?![*+-] |[0-9]{1,3}\. )\S")  # a table, a poem, code; an inner list is not
_TABLE = re.compile(r"<(/?)(?:table|caption|thead|tbody|tfoot|tr|td|th)\b[^<>]*>")
_NOTE = re.compile(r"\[[0-9]+\] \S+\Z")
_STRAY_INDENT = re.compile(r"^ {1,3}(?=[^\s*+\-0-9])", re.MULTILINE)  # of a tag's own white space
_INLINE = "a abbr b cite code del dfn em i ins kbd mark s samp small span strong sub sup time u var".split()
# The strict profile, since the relaxed one indents each div; code keeps its lines, also in a tag inside of <pre>.
_STYLES = STRICT_CSS_PROFILE | {
    **{tag: HtmlElement(whitespace=None) for tag in _INLINE},  # as what is around it
    "pre": HtmlElement(display=Display.block, whitespace=WhiteSpace.pre, margin_before=1, margin_after=1),
    "dt": HtmlElement(display=Display.block),
    "dd": HtmlElement(display=Display.block, padding_inline=4),
}
_CONFIG = ParserConfig(css=_STYLES, display_links=True)


def text_of_html(clean: str) -> str:
    """Return sanitised HTML as text: ``word [1]``, and the addresses below."""
    if not clean.strip():
        return ""
    try:
        marked = _CODE.sub(_indented, _MARKED.sub("", clean))
        text = _quoted(_laid_out(_BLOCKQUOTE.sub(_bounded, _IMAGE.sub(_described, marked))))
    except Exception:
        return tidy(stripped(clean))
    return tidy(_STRAY_INDENT.sub("", _with_notes(text)).replace(INDENT, " "))


def tidy(text: str) -> str:
    """Trim lines and runs of empty ones."""
    lines = "\n".join(line.rstrip() for line in text.replace("\r", "").split("\n"))
    return _EMPTY_LINES.sub("\n\n", lines).strip("\n")[:TEXT_CHARACTERS_MAX]


def flowed(text: str) -> str:
    """Break long lines as RFC 3676 has it: a space at the end says that the line goes on."""
    return "\n".join(_flowed(line) for line in text.split("\n"))


def _indented(match: re.Match[str]) -> str:
    """Let code stand where it stood."""
    return _INDENTED.sub(lambda spaces: INDENT * len(spaces[0]), match[0])


def _bounded(match: re.Match[str]) -> str:
    """Let a quotation's ends be seen in the text."""
    return f"<p>{QUOTE_ENDS}</p></blockquote>" if match[1] else f"<blockquote><p>{QUOTE}</p>"


def _quoted(text: str) -> str:
    rows: list[str] = []
    depth = 0
    for row in text.split("\n"):
        if (mark := row.strip()) in (QUOTE, QUOTE_ENDS):
            depth = max(0, depth + (1 if mark == QUOTE else -1))
        else:
            rows.append(QUOTE * min(depth, QUOTES_MAX) + row if mark else "")
    return "\n".join(rows)


def _laid_out(markup: str) -> str:
    """A table whose rows are wider than a terminal held a page together: its cells are paragraphs."""
    text: str = inscriptis.get_text(markup, _CONFIG)
    if "<table" not in markup or not _wide_rows(text):
        return text
    plain: str = inscriptis.get_text(_TABLE.sub(r"<\1div>", markup), _CONFIG)
    return min(text, plain, key=_wide_rows)


def _wide_rows(text: str) -> int:
    return sum(len(row) > TERMINAL_COLUMNS and "   " in row.rstrip() for row in text.split("\n"))


def _described(match: re.Match[str]) -> str:
    """A picture is what it shows, if anybody said so."""
    alt = _ALT.search(match[0])
    words = " ".join(alt[1].split()) if alt else ""
    return f"[{words.replace('[', '(').replace(']', ')')}]" if words else ""


def _with_notes(text: str) -> str:
    notes: dict[str, int] = {}

    def noted(match: re.Match[str]) -> str:
        words, address = match[1].strip("[] "), match[2]
        if words in ("", address):
            return address
        if address not in notes and len(notes) >= NOTES_MAX:
            return f"{words} <{address}>"
        return f"{words} [{notes.setdefault(address, len(notes) + 1)}]"

    body = _LINK.sub(noted, text)
    return "\n".join([body.rstrip(), "", *(f"[{number}] {address}" for address, number in notes.items())])


def _flowed(line: str) -> str:
    said = line.lstrip(QUOTE)
    if said != line:
        mark = ">" * (len(line) - len(said))
        return "\n".join(f"{mark} {row}" for row in _flowed(said.strip(" ")).split("\n"))
    line = line.rstrip()
    if len(line) < COLUMNS or _LAID_OUT.search(line) or _NOTE.match(line):
        return _stuffed(line)
    return " \n".join(map(_stuffed, textwrap.wrap(line, COLUMNS, break_long_words=False, break_on_hyphens=False)))


def _stuffed(row: str) -> str:
    """RFC 3676 4.4: a row must not begin with what has a meaning there."""
    return f" {row}" if row.startswith((" ", ">", "From ")) else row
