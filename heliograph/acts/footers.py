"""What the command can do to the footer of a source.

Law: as in operations.py; by the same rules as for its owner.
"""

from __future__ import annotations

from directory.names import Reflector
from heliograph import exits
from heliograph.exits import CommandError
from heliograph.site import Answer, Site, Source
from mail.footer import clean, fault_of
from reflector.footers import find_footer, set_footer
from reflector.sources import find_source
from store import Transaction, events


def show_footer(source: Source, site: Site, now: float, name: str) -> Answer:
    """What stands under the posts of a source whose list has its root here."""
    _check_here(source, site, name)
    return {"host": site.host, "source": name, "footer": find_footer(source, name)}


def change_footer(tx: Transaction, site: Site, now: float, name: str, words: str) -> Answer:
    """Set it for all posts from now on; "": take it away."""
    _check_here(tx, site, name)
    words = clean(words)
    fault = fault_of(words) if words else ""
    if fault:
        raise CommandError(exits.DATA, f"{name}: this cannot be its footer: {fault}")
    set_footer(tx, name, words, now)
    events.append(tx, now, "footer-set" if words else "footer-taken-away", source=name, by="operator")
    return {"host": site.host, "source": name, "footer": words}


def _check_here(place: Source, site: Site, name: str) -> None:
    bucket = site.directory().names.bucket(name)
    if not site.owns_now(place, Reflector(name, "", bucket)):
        raise CommandError(
            exits.TEMPFAIL, f"{name}: b{bucket}.reflectors is on its way from or to another host: repeat"
        )
    if find_source(place, name) is None:
        raise CommandError(exits.NOUSER, f"{name}: {site.host} serves no such list: see `reflector list`")
