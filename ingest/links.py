"""What a document, or its server, says of its hub (W3C WebSub 4): rel=hub and rel=self.

Law: the header counts first; what is no address of the web counts as nothing said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ingest.urls import BadUrl, canonical, joined

HEADER_CHARACTERS_MAX = 4_096
TOPIC_CHARACTERS_MAX = 900

_LINK = re.compile(r"<([^<>]{1,1000})>([^<]{0,300})")
_REL = re.compile(r";\s*rel\s*=\s*\"?([a-z -]{1,60})", re.IGNORECASE)


def linked(headers: Iterable[str]) -> tuple[str, str]:
    """Return (hub, self) of Link fields (RFC 8288), "" for what they do not name."""
    found: dict[str, str] = {}
    for address, more in _LINK.findall(", ".join(headers)[:HEADER_CHARACTERS_MAX]):
        rel = _REL.search(more)
        for word in rel[1].lower().split() if rel else ():
            found.setdefault(word, address)
    return found.get("hub", ""), found.get("self", "")


def hub_and_topic(url: str, *said: tuple[str, str]) -> tuple[str, str]:
    """Choose from what was said, the best first: ("", "") where no hub is named. A feed that names no address of its
    own is known by the one that it was found at."""
    hub = next((hub for hub, _ in said if hub), "")
    own = next((own for _, own in said if own), "")
    try:
        hub, topic = joined(url, hub).text if hub else "", joined(url, own).text if own else canonical(url).text
    except BadUrl:
        return "", ""
    # The topic stays as it was written, if it is whole: the hub compares texts (W3C WebSub 5.1).
    topic = own if own.startswith(("http://", "https://")) else topic
    return (hub, topic) if hub and len(topic) <= TOPIC_CHARACTERS_MAX else ("", "")
