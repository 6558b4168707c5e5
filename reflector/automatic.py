"""Which mail is never answered, and never acted upon: a machine's, and what comes from an address of our own rooms.

Law: when in doubt it was a machine. Lists that answer each other never stop.
"""

from __future__ import annotations

from directory.names import FabricNames, Follow, Leaf, Reflector, Unknown
from mail import automatic
from mail.address import BadAddress, parse_address
from mail.envelope import Arrival


def why_automatic(arrival: Arrival, names: FabricNames) -> str:
    """Return what shows that no person sent this, or ""."""
    ours = any(_is_ours(sender, names) for sender in automatic.senders(arrival))
    return automatic.why_automatic(arrival) or ("our own address" if ours else "")


def _is_ours(sender: str, names: FabricNames) -> bool:
    try:
        return bool(sender) and isinstance(names.classify(parse_address(sender)), Reflector | Leaf | Follow | Unknown)
    except BadAddress:
        return False
