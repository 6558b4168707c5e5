"""What the command can see of other fabrics: which of their sources are followed here, and who follows ours.

Law: as in operations.py; nothing is changed here.
"""

from __future__ import annotations

from heliograph.site import ROWS_MAX, Answer, Site
from reflector.mirrors import fabrics_here, mirrors_here
from store import Reader


def list_mirrors(reader: Reader, site: Site, now: float, after: str = "") -> Answer:
    """A page of this host's mirrors."""
    found = mirrors_here(reader, after, ROWS_MAX)
    rows = [
        {"mirror": one.list, "source": one.person, "state": one.state, "posts": one.top, "asked": one.wish / 1000}
        for one in found
    ]
    return {"host": site.host, "mirrors": rows, "more": len(rows) == ROWS_MAX}


def list_fabrics(reader: Reader, site: Site, now: float, after: str = "") -> Answer:
    """A page of the fabrics that have asked for posts of this host's sources: one follower each, or none any more."""
    found = fabrics_here(reader, after, ROWS_MAX)
    rows = [
        {"name": f"{source} {fabric}", "source": source, "fabric": fabric, "asked": at} for source, fabric, at in found
    ]
    return {"host": site.host, "fabrics": rows, "more": len(rows) == ROWS_MAX}
