"""Sizes as an operator writes them: 2G, 500M, none.

Law: what is shown reads back as what it was.
"""

from __future__ import annotations

import re

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"([1-9][0-9]{0,12})([KMGT]?)(?:i?B)?\Z", re.IGNORECASE)
OCTETS_MAX = 1 << 60  # SQLite counts in 64 bits

NONE = "none"


def read_size(text: str) -> int:
    """Return octets; 0 for "none". Raise ValueError."""
    if text.strip().lower() == NONE:
        return 0
    match = _SIZE.match(text.strip())
    octets = int(match[1]) * _UNITS[match[2].upper()] if match else 0
    if not 0 < octets <= OCTETS_MAX:
        raise ValueError(f'{text!r} is no size: write it like 500M, 2G or "none"')
    return octets


def show_size(octets: int) -> str:
    """Write octets shortly; what is no whole number of a unit is written out."""
    if not octets:
        return NONE
    unit = max((unit for unit, size in _UNITS.items() if octets % size == 0), key=lambda unit: _UNITS[unit])
    return f"{octets // _UNITS[unit]}{unit}"
