"""What keeps lists from feeding each other for ever.

Law: a post never passes the same list twice, nor more than `hops_max` lists. X-Loop needs no trust: who forges it loses
only his own mail. Heliograph-Hops is signed with the post and believed only then.
"""

from __future__ import annotations

from mail.envelope import Arrival
from reflector.letter import Letter
from reflector.list_headers import list_id

LOOP_FIELD = "X-Loop"  # kept from list to list, and by clients that forward: one per list passed
HOPS_FIELD = "Heliograph-Hops"


def hops_of(arrival: Arrival) -> int:
    """Return how many reflectors a post has passed, as a trusted host counted."""
    text = arrival.headers.get(HOPS_FIELD) if arrival.signed_by else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def why_loop(letter: Letter) -> str:
    """Return why a post has been here before, or ""."""
    headers, names, source = letter.arrival.headers, letter.house.names, letter.source.name
    if any(list_id(names, source) in value.lower() for value in headers.all("list-id")):
        return "own List-Id"
    if has_passed(letter, names.reflector(source)):
        return "own X-Loop"
    return "too many reflectors" if hops_of(letter.arrival) >= letter.house.settings.hops_max else ""


def has_passed(letter: Letter, address: str) -> bool:
    return passed(letter.arrival, address)


def passed(arrival: Arrival, address: str) -> bool:
    """Tell whether a post has been at a list."""
    return address in (value.lower() for value in arrival.headers.all(LOOP_FIELD))
