"""``$GENERATE``, as BIND has it: one line for a range of buckets.

Law: ``$`` is the number, ``${offset}`` the number plus that, ``${offset,width,base}`` padded with zeros; ``\\$`` and
``$$`` are a dollar sign. The data may be quoted, as BIND wants it, or bare.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from directory.tokens import BadText

GENERATED_MAX = 1_000_000  # per line: several times the largest fabric that was measured, 65,536 buckets

_RANGE = re.compile(r"([0-9]{1,7})-([0-9]{1,7})(?:/([0-9]{1,7}))?\Z")
_MARK = re.compile(r"\\\$|\$\$|\$\{(-?[0-9]{1,7})(?:,([0-9]{1,2})(?:,([doxX]))?)?\}|\$")
_EXAMPLE = 'As: $GENERATE 0-4095 b$.timeline MX "10 host-1".'

Template = Callable[[int], str]


def generated(tokens: list[str]) -> Iterator[list[str]]:
    """Return the tokens of every record of a $GENERATE, given what stands after it; raise BadText."""
    if len(tokens) < 4:
        raise BadText("$GENERATE wants a range, a name, a type and data", _EXAMPLE)
    match = _RANGE.match(tokens[0])
    if not match:
        raise BadText(f"{tokens[0]!a} is no range", _EXAMPLE)
    numbers = range(int(match[1]), int(match[2]) + 1, max(1, int(match[3] or 1)))
    if not numbers or len(numbers) > GENERATED_MAX:
        raise BadText(f"the range {tokens[0]} is empty or makes over {GENERATED_MAX:,} records", _EXAMPLE)
    templates = [_template(token) for token in _unquoted(tokens[1:])]
    return ([template(number) for template in templates] for number in numbers)


def _unquoted(tokens: list[str]) -> list[str]:
    """``MX "10 host-1"`` -> ``MX 10 host-1``; the strings of a TXT stay quoted."""
    if not all(map(str.isascii, tokens)):
        raise BadText("$GENERATE with text that is not ASCII", "Write names in their xn-- form.")
    if tokens[-1].startswith('"') and "TXT" not in (token.upper() for token in tokens[1:-1]):
        return [*tokens[:-1], *tokens[-1][1:].split()]
    return tokens


def _template(token: str) -> Template:
    if "$" not in token:
        return lambda number: token
    return lambda number: _MARK.sub(lambda mark: _filled(mark, number), token)


def _filled(mark: re.Match[str], number: int) -> str:
    if mark[0] in ("\\$", "$$"):
        return "$"
    value = number + int(mark[1] or 0)
    if value < 0:
        raise BadText(f"{mark[0]} makes {number} negative", "Choose an offset that fits the range.")
    return format(value, f"0{int(mark[2] or 0)}{mark[3] or 'd'}")
