"""Which mail was sent by a machine: such mail is never answered, and never acted upon.

Law: when in doubt it was a machine. An unanswered person asks again; two robots never stop.
"""

from __future__ import annotations

import re

from mail.address import BadAddress, parse_address
from mail.envelope import Arrival
from mail.headers import first_addr_spec

# RFC 3834 2: no answers to these. Their owners are programs.
_MACHINES = re.compile(r"(mailer-daemon|no-?reply|do-?not-?reply|owner-.*|.*-(owner|request|bounces?))(\+.*)?\Z")


def why_automatic(arrival: Arrival) -> str:
    """Return what shows that a machine sent this, or ""."""
    headers = arrival.headers
    if not arrival.sender:
        return "null sender"  # RFC 5321 4.5.5
    if headers.get("auto-submitted", "no").partition(";")[0].strip().lower() not in ("no", ""):
        return "Auto-Submitted"  # RFC 3834 5
    if headers.get("precedence").lower() in ("bulk", "list", "junk"):
        return "Precedence"
    if headers.has("list-id"):
        return "List-Id"  # RFC 2919
    return "a program's address" if any(map(_is_machine, senders(arrival))) else ""


def senders(arrival: Arrival) -> tuple[str, str]:
    """Return the two addresses that an answer could go to: of the return path and of From."""
    return arrival.sender, first_addr_spec(arrival.headers.get("from"))


def _is_machine(sender: str) -> bool:
    try:
        return bool(sender) and _MACHINES.match(parse_address(sender).local.lower()) is not None
    except BadAddress:
        return False
