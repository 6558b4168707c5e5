"""Whose a domain is: the part of its name that somebody registered.

Law: pure, by the public suffix list. Below a registered name its owner makes as many others as he likes.
"""

from __future__ import annotations

from functools import cache
from typing import Any


def organization(domain: str) -> str:
    """``mail.example.co.uk`` -> ``example.co.uk``; a public suffix is its own."""
    return _suffixes().privatesuffix(domain) or domain


@cache
def _suffixes() -> Any:
    from publicsuffixlist import PublicSuffixList  # reading the list takes 60 ms: not at start

    return PublicSuffixList()
