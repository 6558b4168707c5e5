"""A domain's SPF record (RFC 7208 4.6): its terms, in their order.

Law: pure. One wrong letter anywhere and there is no record (4.6): who cannot write it may have meant anything.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from heliograph.judging.spf.macros import Words, read_words

RECORD_CHARACTERS_MAX = 8_192  # 3.4 wants 450; what is longer is work for us, and for nobody's mail

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
NEED_WORDS = frozenset({"include", "exists"})
TAKE_PREFIXES = frozenset({"a", "mx"})

_VERSION = re.compile(r"v=spf1(?: |\Z)", re.IGNORECASE)
_MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=(.*)\Z", re.IGNORECASE | re.DOTALL)
_DIRECTIVE = re.compile(r"([-+?~]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?![a-z0-9])(.*)\Z", re.IGNORECASE | re.DOTALL)
_PREFIXES = re.compile(r"(?:/([0-9]+))?(?://([0-9]+))?\Z")
_NETWORK = re.compile(r":([0-9a-f:.]+)(?:/([0-9]+))?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Term:
    """A mechanism. `result`: what follows from a match; `words`: the name that it asks for, None for the domain's own;
    `network`: of ip4 and ip6."""

    result: str
    kind: str
    words: Words | None = None
    network: Network | None = None
    prefix4: int = 32
    prefix6: int = 128


@dataclass(frozen=True, slots=True)
class Record:
    terms: tuple[Term, ...]
    redirect: Words | None = None


def is_record(text: str) -> bool:
    """Tell whether a TXT is meant as an SPF record (4.5)."""
    return bool(_VERSION.match(text))


def read_record(text: str) -> Record | None:
    """Read it; None where it cannot be read."""
    if len(text) > RECORD_CHARACTERS_MAX:
        return None
    terms: list[Term] = []
    modifiers: dict[str, Words] = {}
    for word in filter(None, text.split(" ")[1:]):
        if match := _MODIFIER.match(word):
            name = match[1].lower()
            value = _modifier(name, match[2])
            if value is None or name in modifiers:
                return None
            if name in ("redirect", "exp"):  # others may stand there as often as they like (6)
                modifiers[name] = value
        elif (term := _term(word)) is not None:
            terms.append(term)
        else:
            return None
    return Record(tuple(terms), modifiers.get("redirect"))


def _modifier(name: str, text: str) -> Words | None:
    words = read_words(text)
    return None if words and name in ("redirect", "exp") and not words.is_domain else words


def _term(text: str) -> Term | None:
    match = _DIRECTIVE.match(text)
    if match is None:
        return None
    result, kind, rest = RESULTS[match[1] or "+"], match[2].lower(), match[3]
    if kind == "all":
        return Term(result, kind) if not rest else None
    if kind in ("ip4", "ip6"):
        network = _network(kind, rest)
        return Term(result, "ip", network=network) if network else None
    return _named(result, kind, rest)


def _named(result: str, kind: str, rest: str) -> Term | None:
    """``include:name``, ``exists:name``, ``ptr``, ``ptr:name``, ``a``, ``mx:name/24//64``."""
    prefixes: tuple[int, int] | None = (32, 128)
    if kind in TAKE_PREFIXES:
        cut = re.search(_PREFIXES, rest)
        assert cut is not None  # it matches the empty end
        prefixes, rest = _prefixes(cut), rest[: cut.start()]
    if prefixes is None:
        return None
    if not rest:
        return None if kind in NEED_WORDS else Term(result, kind, None, None, *prefixes)
    words = read_words(rest[1:]) if rest[0] == ":" else None
    return Term(result, kind, words, None, *prefixes) if words and words.is_domain else None


def _prefixes(cut: re.Match[str]) -> tuple[int, int] | None:
    prefix4, prefix6 = _prefix(cut[1], 32), _prefix(cut[2], 128)
    return None if prefix4 is None or prefix6 is None else (prefix4, prefix6)


def _prefix(digits: str | None, most: int) -> int | None:
    if not digits:
        return most
    good = len(digits) <= 3 and (digits == "0" or digits[0] != "0") and int(digits) <= most
    return int(digits) if good else None


def _network(kind: str, rest: str) -> Network | None:
    match = _NETWORK.match(rest)
    prefix = _prefix(match[2], 32 if kind == "ip4" else 128) if match else None
    if match is None or prefix is None:
        return None
    try:
        address: Network = (ipaddress.IPv4Network if kind == "ip4" else ipaddress.IPv6Network)(
            f"{match[1]}/{prefix}", strict=False
        )
    except ValueError:
        return None
    return address
