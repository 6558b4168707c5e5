"""Which mail was sent by a machine: such mail is never answered, and never acted upon.

Law: when in doubt it was a machine. An unanswered person asks again; two robots never stop.
"""

from __future__ import annotations

import re

from directory.names import FabricNames, Follow, Leaf, Reflector, Unknown
from mail.address import BadAddress, parse_address
from mail.envelope import Arrival
from mail.headers import first_addr_spec

# RFC 3834 2: no answers to these. Their owners are programs.
_MACHINES = re.compile(r"(mailer-daemon|no-?reply|do-?not-?reply|owner-.*|.*-(owner|request|bounces?))(\+.*)?\Z")


def why_automatic(arrival: Arrival, names: FabricNames) -> str:
    """Return what shows that a machine sent this, or ""."""
    headers = arrival.headers
    submitted = headers.get("auto-submitted", "no").partition(";")[0].strip().lower()
    if not arrival.sender:
        return "null sender"  # RFC 5321 4.5.5
    if submitted not in ("no", ""):
        return "Auto-Submitted"  # RFC 3834 5
    if headers.get("precedence").lower() in ("bulk", "list", "junk"):
        return "Precedence"
    if headers.has("list-id"):
        return "List-Id"
    senders = (arrival.sender, first_addr_spec(headers.get("from")))
    return next((why for sender in senders if (why := _why_machine(sender, names))), "")


def _why_machine(sender: str, names: FabricNames) -> str:
    try:
        address = parse_address(sender) if sender else None
    except BadAddress:
        return ""
    if address is None:
        return ""
    if _MACHINES.match(address.local.lower()):
        return "a program's address"
    name = names.classify(address)
    return "our own address" if isinstance(name, Reflector | Leaf | Follow | Unknown) else ""
