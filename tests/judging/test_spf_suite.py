"""The public conformance suite of RFC 7208 (openspf.org's rfc7208-tests.yml), where there is a copy of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from heliograph.judging.spf.evaluation import Question
from tests.judging.test_spf import follow

SUITE = Path(os.environ.get("HELIOGRAPH_DATA", "/nonexistent")) / "spf" / "rfc7208-tests.yml"
SCENARIOS = 203


class Told:
    """A scenario's zone. A record of type SPF is one of type TXT as well, unless its name has others of that."""

    def __init__(self, zone: Mapping[str, list[Any]]) -> None:
        self._names = {name.lower(): entries for name, entries in zone.items()}

    def __call__(self, question: Question, hops: int = 8) -> Sequence[str] | None:
        entries = self._names.get(question.name.lower().removesuffix("."), [])
        records = [(kind, value) for one in entries if isinstance(one, dict) for kind, value in one.items()]
        kinds = {kind for kind, _ in records}
        kind = "SPF" if question.kind == "TXT" and "TXT" not in kinds else question.kind
        if "CNAME" in kinds:
            alias = next(value for kind, value in records if kind == "CNAME")
            return self(Question(alias, question.kind), hops - 1) if hops else None
        found = [_text(kind, value) for one, value in records if one == kind and value != "NONE"]
        return None if not found and "TIMEOUT" in entries else found


def _text(kind: str, value: Any) -> str:
    if kind == "MX":
        return str(value[1])
    return "".join(value) if isinstance(value, list) else str(value)


def scenarios() -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    yaml = pytest.importorskip("yaml")
    for part in yaml.safe_load_all(SUITE.read_text()):
        for name, test in part["tests"].items() if part else ():
            yield name, test, part["zonedata"]


@pytest.mark.skipif(not SUITE.exists(), reason="HELIOGRAPH_DATA has no spf/rfc7208-tests.yml")
def test_every_scenario() -> None:
    count, wrong = 0, []
    for count, (name, test, zone) in enumerate(scenarios(), 1):  # noqa: B007
        sender = test.get("mailfrom") or f"postmaster@{test['helo']}"
        result, _ = follow(Told(zone), test["host"], sender, str(test["helo"]))
        good = test["result"] if isinstance(test["result"], list) else [test["result"]]
        if result not in good:
            wrong.append((name, result, good))
    assert (wrong, count) == ([], SCENARIOS)
