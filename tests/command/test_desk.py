"""Lists that hosts tell in pages."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, cast

import pytest

from heliograph.configuration.settings import Config
from heliograph.control import desk

PAGES: dict[str, dict[str, Any]] = {
    "": {"lists": [{"list": "alice"}], "next": "bob+sub.1"},
    "bob+sub.1": {"lists": [], "next": "bob+sub.9"},  # a page of lists that are no roots
    "bob+sub.9": {"lists": [{"list": "carol"}], "next": ""},
}
NAMES: dict[str, dict[str, Any]] = {
    "": {"accounts": ["alice", "bob"], "more": True},
    "bob": {"accounts": [], "more": False},
}


class Told:
    """A host that tells in pages."""

    def ask(self, operation: str, after: str) -> dict[str, Any]:
        return {"reflector list": PAGES, "account list": NAMES}[operation][after]


@pytest.fixture(autouse=True)
def two_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def at(config: Config, name: str, seconds_max: float) -> Iterator[Told]:
        yield Told()

    monkeypatch.setattr(desk, "desk", at)
    monkeypatch.setattr(desk, "hosts_here", lambda config, wanted: [wanted] if wanted else ["host-1", "host-2"])


def test_every_page_of_every_host() -> None:
    rows = desk.every_row(cast(Config, None), "reflector list", "lists", "list")
    assert [(row["host"], row["list"]) for row in rows] == [
        ("host-1", "alice"),
        ("host-1", "carol"),
        ("host-2", "alice"),
        ("host-2", "carol"),
    ]


def test_rows_that_are_names_and_one_host() -> None:
    rows = desk.every_row(cast(Config, None), "account list", "accounts", "account", "host-2")
    assert rows == [{"host": "host-2", "account": "alice"}, {"host": "host-2", "account": "bob"}]
