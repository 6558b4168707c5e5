"""OPML: lists of feeds, as feed readers exchange them.

Law: read in one pass that keeps nothing but outlines, with no entity and nothing fetched; what was written is read as
the same feeds in the same folders.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from ingest.header_text import line_of

OCTETS_MAX = 10_000_000  # of 10,000 outlines the longest known has 4 MB
OUTLINES_MAX = 10_000  # as many as an account may follow
DEPTH_MAX = 20
TITLE_OCTETS_MAX = 300
OPENING_OCTETS = 2_000


class NoOpml(ValueError):
    """The text is no OPML; the message says why."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A feed. `folder`: where it stands, "" at the top; folders in folders are joined by a slash."""

    url: str
    title: str = ""
    folder: str = ""


class _Reader:
    """What expat calls."""

    def __init__(self) -> None:
        self.outlines: list[Outline] = []
        self._path: list[str] = []  # of open outlines: a folder's name, or "" for a feed
        self._depth, self._is_opml = 0, False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1:
            self._is_opml = tag.lower() == "opml"
        if not self._is_opml or self._depth > DEPTH_MAX:
            raise NoOpml("it is no OPML, or nested too deep")
        if tag.lower() == "outline":
            self._outline({name.lower(): value for name, value in attributes.items()})

    def end(self, tag: str) -> None:
        self._depth -= 1
        if tag.lower() == "outline":
            self._path.pop()

    def _outline(self, said: dict[str, str]) -> None:
        url, title = said.get("xmlurl", "").strip(), said.get("title") or said.get("text") or ""
        title = line_of(title, TITLE_OCTETS_MAX)
        self._path.append("" if url else title.replace("/", "-"))
        if url:
            self.outlines.append(Outline(url, title, "/".join(filter(None, self._path))))
        if len(self.outlines) > OUTLINES_MAX:
            raise NoOpml(f"it lists more than {OUTLINES_MAX} feeds")


def is_list(content: bytes) -> bool:
    """Tell whether a text begins as OPML does."""
    return b"<opml" in content[:OPENING_OCTETS].lower() and content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def read_opml(content: bytes) -> list[Outline]:
    """Return the feeds of a document, in its order. Raise NoOpml."""
    if len(content) > OCTETS_MAX:
        raise NoOpml(f"it has more than {OCTETS_MAX} octets")
    reader, parser = _Reader(), expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.EntityDeclHandler = _no_entities
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise NoOpml(f"it is no XML: {error}") from None
    except NoOpml:
        raise
    except (LookupError, ValueError):  # of these, what the parser cannot read an octet at a time
        raise NoOpml("its encoding is unknown") from None
    return reader.outlines


def write_opml(title: str, outlines: Iterable[Outline]) -> bytes:
    """Write a document: folders in order, and feeds in theirs."""
    by_folder: dict[str, list[Outline]] = {}
    for each in outlines:
        by_folder.setdefault(each.folder, []).append(each)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<opml version="2.0">']
    lines += [f"<head><title>{escape(_plain(title))}</title></head>", "<body>"]
    for folder, feeds in sorted(by_folder.items()):
        inside = [_line(each) for each in feeds]
        name = quoteattr(_plain(folder))
        lines += [f"<outline text={name} title={name}>", *inside, "</outline>"] if folder else inside
    return "\n".join([*lines, "</body>", "</opml>", ""]).encode()


def _line(each: Outline) -> str:
    name = quoteattr(_plain(each.title or each.url))
    return f'<outline type="rss" text={name} title={name} xmlUrl={quoteattr(_plain(each.url))}/>'


def _plain(text: str) -> str:
    return line_of(text, 2_000)


def _no_entities(*_: object) -> None:
    raise NoOpml("it declares entities")
