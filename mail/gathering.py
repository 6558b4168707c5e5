"""A letter that goes round the hosts: who follows which sources, and the feeds behind them as far as they were found.

Law: it is control mail, signed at every step; each host adds what it polls, and the last one answers.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

FEEDS_MAX = 2_000  # a letter of some 300 KB


@dataclass(frozen=True, slots=True)
class Gathered:
    """`sources`: (name, folder) of those that no host has spoken for yet; `hosts`: where it is still to go; `feeds`:
    (address, title, folder)."""

    sources: tuple[tuple[str, str], ...]
    hosts: tuple[str, ...]
    feeds: tuple[tuple[str, str, str], ...] = ()


def written(found: Gathered) -> bytes:
    """Write it as a mail's text."""
    packed = json.dumps({"sources": found.sources, "hosts": found.hosts, "feeds": found.feeds}).encode()
    return base64.encodebytes(packed).replace(b"\n", b"\r\n")


def read(text: bytes) -> Gathered:
    """Read what `written` wrote; raise ValueError."""
    try:
        told = json.loads(base64.b64decode(text))
        sources = tuple((str(name), str(folder)) for name, folder in told["sources"])
        feeds = tuple((str(url), str(title), str(folder)) for url, title, folder in told["feeds"])
        return Gathered(sources, tuple(map(str, told["hosts"])), feeds)
    except (TypeError, KeyError, AttributeError, RecursionError):
        raise ValueError("no gathered feeds") from None
