"""The parsing process: a document in, its items out, over standard input and output.

Law: it opens nothing and holds nothing between two documents. Whoever started it may kill it at any moment; it kills
itself where a document costs more CPU seconds than it may, or when its standard input ends.

In:  two numbers (octets of JSON, octets of document), the JSON, the document. Out: one number, JSON.
Where a known feed lists a few items of unknown octets they are told at once: most likely they are wanted.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
from collections.abc import Collection
from typing import IO, Any

from ingest.article_text import article_of
from ingest.discover import feeds_of
from ingest.items import ANSWER, QUESTION, TOLD_AT_ONCE_MAX
from ingest.parse import parse_xml
from ingest.parse_json import parse_json
from ingest.plain_text import flowed
from ingest.raw_item import Feed, NoFeed, Passed, RawItem
from ingest.render import rendered
from ingest.sniff import kind_of

MEMORY_OCTETS_MAX = 1 << 30  # a document of 5 MB takes 100 MB to parse
NICENESS = 5  # mail goes first


def main(pipe_in: IO[bytes], pipe_out: IO[bytes]) -> None:
    """Answer questions until there are no more."""
    items: list[RawItem | Passed] = []
    while head := pipe_in.read(QUESTION.size):
        told, document = QUESTION.unpack(head)
        question = json.loads(pipe_in.read(told))
        content = pipe_in.read(document)
        if "article" in question:
            limit_seconds(question["seconds"])
            reply: Any = article_of(content, question["article"], question["content_type"])
        elif "render" in question:
            reply = [_item(items[index]) for index in question["render"]]
        else:
            limit_seconds(question["seconds"])
            known = frozenset(question["known"])
            reply, items = read(content, question["url"], question["content_type"], known)
            if known:
                reply["told"] = _told_at_once(items)
        packed = json.dumps(reply).encode()
        pipe_out.write(ANSWER.pack(len(packed)) + packed)
        pipe_out.flush()


def read(
    content: bytes, url: str, content_type: str, known: Collection[int] = ()
) -> tuple[dict[str, Any], list[RawItem | Passed]]:
    """Tell what a document is, and what is listed in it."""
    kind = kind_of(content)
    try:
        if kind == "xml":
            return _listing(parse_xml(content, url, content_type, known))
        if kind == "json":
            return _listing(parse_json(content, url))
    except NoFeed as no:
        return {"kind": "neither", "reason": str(no)}, []
    if kind == "page":
        return {"kind": "page", "feeds": feeds_of(content, url)}, []
    return {"kind": "neither", "reason": "it is neither a feed nor a page"}, []


def _listing(feed: Feed) -> tuple[dict[str, Any], list[RawItem | Passed]]:
    rows = [item.listed() for item in feed.items]
    told = {
        "kind": "feed",
        "title": feed.title,
        "link": feed.link,
        "floor": feed.floor,
        "skip": feed.skip,
        "links": feed.links,
    }
    return told | {"items": rows}, feed.items


def _told_at_once(items: list[RawItem | Passed]) -> list[tuple[int, dict[str, Any]]]:
    unknown = [place for place, item in enumerate(items) if isinstance(item, RawItem)]
    return [(place, _item(items[place])) for place in unknown] if len(unknown) <= TOLD_AT_ONCE_MAX else []


def _item(item: RawItem | Passed) -> dict[str, Any]:
    assert isinstance(item, RawItem)  # nobody asks for what is known
    text, clean = rendered(item)
    return {
        "title": item.title,
        "author": item.author,
        "link": item.link,
        "date": item.date,
        "text": flowed(text),
        "html": clean,
        "attachments": item.attachments,
        "language": item.language,
    }


def limit_seconds(seconds: int) -> None:
    """Let the kernel end this process once it has used that much more CPU (SIGXCPU)."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(used) + seconds, hard))


def _confine() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_OCTETS_MAX, MEMORY_OCTETS_MAX))
    with contextlib.suppress(OSError):
        os.nice(NICENESS)


if __name__ == "__main__":
    _confine()
    gc.freeze()  # what was imported stays: no need to look through it again and again
    main(sys.stdin.buffer, sys.stdout.buffer)
