"""Buckets that two hosts own: what became of an edit between first starts, or of an old backup.

Law: it asks the hosts that run, as `status` does; which of two owners gives way is the operator's to say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heliograph.checkup.finding import Finding, fault, good
from heliograph.configuration.settings import Config
from heliograph.control.desk import survey

SHOWN_MAX = 5  # buckets in a line


def owners(config: Config) -> Iterator[Finding]:
    """Look at all hosts of the fabric that answer."""
    if any(config.host_folder(host.name).is_dir() for host in config.hosts):
        yield from doubly_owned(survey(config))


def doubly_owned(words: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """A line for each two hosts. `words`: what each host says of itself; of those that say nothing others tell."""
    shared: defaultdict[tuple[str, ...], set[tuple[int, str]]] = defaultdict(set)
    for word in words:
        for name, other in word.get("two_owners", ()):
            shared[tuple(sorted((word["host"], other)))].add((int(name[1:].partition(".")[0]), name))
    for (one, other), found in sorted(shared.items()):
        buckets = [name for _, name in sorted(found)]
        more = f" and {len(buckets) - SHOWN_MAX} more" if len(buckets) > SHOWN_MAX else ""
        text = f"{one} and {other} both own {', '.join(buckets[:SHOWN_MAX])}{more}, and hold something of it each"
        number = min(found)[0]
        remedy = f"let the one give way that has less: `bucket yield {number} --at {other}`, or --at {one}"
        yield fault("owners", text, remedy)
    answering = sum(bool(word.get("up")) for word in words)
    if answering and not shared:
        yield good("owners", f"no bucket has two owners, say the {answering} hosts that answer")
