"""Addresses elsewhere from which an owner posts: they go with the source, and travel with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from directory.names import FabricNames, Reflector
from heliograph.flow import Flow
from heliograph.proof.posters import Posters
from heliograph.proof.saying import Saying
from heliograph.proof.wanting import LISTS_MAX, wanted_of
from mail.envelope import PROVEN_FIELD, Arrival
from reflector.senders import has_sender, posts_from, question_about
from reflector.sources import bury_source, create_source
from reflector.tables import MIGRATIONS
from spool.door import Envelope, RcptTo
from store import Store
from store.bodies import MIGRATION as STORE_MIGRATION

HOME, NAMES = "bob@elsewhere.example", FabricNames("fabric.test", 64)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with_bob = Store(tmp_path / "db", [STORE_MIGRATION, *MIGRATIONS])
    with_bob.write_now(lambda tx: create_source(tx, "bob", "bob", "Bob", 0, 1.0))
    with_bob.write_now(lambda tx: tx.execute("INSERT INTO sender_address VALUES ('bob', ?, 1.0)", (HOME,)))
    yield with_bob
    with_bob.close()


def test_only_whom_the_owner_named_and_only_at_that_source(store: Store) -> None:
    assert posts_from(store.reader, "bob", HOME) and has_sender(store.reader, "bob", question_about(HOME))
    for source, address in (("bob", ""), ("bob", "eve@elsewhere.example"), ("erin", HOME)):
        assert not posts_from(store.reader, source, address)
        assert not has_sender(store.reader, source, question_about(address))


def test_they_go_with_the_source_and_do_not_come_back_with_it(store: Store) -> None:
    store.write_now(lambda tx: bury_source(tx, "bob"))
    store.write_now(lambda tx: create_source(tx, "bob", "bob", "Another Bob", 0, 2.0))
    assert not posts_from(store.reader, "bob", HOME) and not has_sender(store.reader, "bob", question_about(HOME))


def test_a_list_that_is_not_here_answers_for_nobody(store: Store) -> None:
    store.write_now(lambda tx: tx.execute("INSERT INTO away VALUES ('bob')"))
    assert not posts_from(store.reader, "bob", HOME) and not has_sender(store.reader, "bob", question_about(HOME))


def test_a_word_is_a_hosts_or_nobodys() -> None:
    content = f"{PROVEN_FIELD}: {HOME}\r\n\r\n".encode()
    assert Arrival("", content, 0, signed_by="host-1").proven == HOME
    assert Arrival("", content, 0).proven == ""
    signed_in = b"Heliograph-Authenticated: alice\r\n" + content
    assert Arrival("", signed_in, 0, signed_by="host-1").proven == ""


async def test_a_stranger_has_only_so_many_hosts_asked() -> None:
    """Each list may be another host's: that its owner posts from elsewhere is a question, whatever the answer."""
    asked: list[str] = []

    class Nobody:
        async def has(self, name: Reflector, author: str) -> bool:
            asked.append(name.entity)
            return False

    flow = SimpleNamespace(name_of=NAMES.classify, directory=lambda: SimpleNamespace(names=NAMES))
    lists = [f"bob{number}@reflectors.fabric.test" for number in range(50)]
    saying = Saying("eve@y.example", frozenset(lists), ())
    envelope = Envelope("eve@y.example", [RcptTo(one) for one in lists])
    wanted = await wanted_of(
        cast(Flow, flow), cast(Posters, Nobody()), envelope, b"Subject: hello\r\n\r\nhi\r\n", saying
    )
    assert len(asked) == LISTS_MAX and len(wanted.others) == 50 and not wanted


def test_a_question_fits_into_an_address() -> None:
    assert len(f"{'b' * 30}+{question_about(HOME)}") <= 64
