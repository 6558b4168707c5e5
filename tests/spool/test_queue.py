"""The queue's tables: what is put is found, in order; what goes takes its message and body along."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mail.envelope import Recipient
from spool import listing
from spool import queue as rows
from spool.door import RcptTo
from spool.queue import Queue
from spool.tables import MIGRATIONS
from store import Bodies, Store, Transaction
from store.bodies import MIGRATION as BODIES

CONTENT = b"Subject: hello\r\n\r\ntext\r\n"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "db", [BODIES, *MIGRATIONS])
    yield store
    store.close()


def put(tx: Transaction, queue: Queue, *recipients: Recipient | RcptTo, now: float = 100.0) -> int:
    body = Bodies.keep(tx, CONTENT)
    return queue.put(
        tx, sender="s@a.test", recipients=recipients, body=body, envid="e", signed_by="", accepted_at=now, now=now
    )


def bodies(store: Store) -> list[int]:
    return [row[0] for row in store.reader.all("SELECT refs FROM body")]


def test_what_is_put_comes_back_behind_the_cursor_in_order(store: Store) -> None:
    queue = Queue()
    first = store.write_now(
        lambda tx: put(tx, queue, Recipient("a@x.test", "own@a.test"), RcptTo("b@x.test", "NEVER", "rfc822;b"))
    )
    second = store.write_now(lambda tx: put(tx, queue, Recipient("c@x.test")))
    found = rows.fresh(store.reader, (0, -1), 10)
    assert [(r.message, r.n, r.address, r.sender, r.notify, r.orcpt) for r in found] == [
        (first, 0, "a@x.test", "own@a.test", "", ""),
        (first, 1, "b@x.test", None, "NEVER", "rfc822;b"),
        (second, 0, "c@x.test", None, "", ""),
    ]
    assert [r.address for r in rows.fresh(store.reader, (first, 0), 10)] == ["b@x.test", "c@x.test"]
    assert rows.message(store.reader, first) == rows.Message(first, "s@a.test", 1, "e", "", 100.0, "", 0, 0, "")
    assert bodies(store) == [2]


def test_a_message_goes_with_its_last_recipient_and_takes_its_body(store: Store) -> None:
    queue = Queue()
    message = store.write_now(lambda tx: put(tx, queue, Recipient("a@x.test"), Recipient("b@x.test")))

    def take(tx: Transaction, n: int) -> None:
        tx.execute("DELETE FROM queue_recipient WHERE message = ? AND n = ?", (message, n))
        rows.forget(tx, [message])

    store.write_now(lambda tx: take(tx, 0))
    assert rows.message(store.reader, message) and bodies(store) == [1]
    store.write_now(lambda tx: take(tx, 1))
    assert rows.message(store.reader, message) is None and bodies(store) == []


def test_ids_are_not_used_twice(store: Store) -> None:
    queue = Queue()
    first = store.write_now(lambda tx: put(tx, queue, Recipient("a@x.test")))
    assert store.write_now(lambda tx: queue.drop(tx, [first])) == 1
    assert store.write_now(lambda tx: put(tx, queue, Recipient("a@x.test"))) > first
    assert bodies(store) == [1]


def test_who_listens_is_woken_after_the_commit_and_not_without_one(store: Store) -> None:
    queue, heard = Queue(), []
    queue.listen(lambda: heard.append(listing.lanes(store.reader).messages))
    store.write_now(lambda tx: put(tx, queue, Recipient("a@x.test")))
    assert heard == [1]

    def fails(tx: Transaction) -> None:
        put(tx, queue, Recipient("b@x.test"))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.write_now(fails)
    assert heard == [1] and listing.lanes(store.reader).fresh == 1


def defer(store: Store, message: int, n: int, at: float, destination: str = "x.test") -> None:
    store.write_now(
        lambda tx: tx.execute(
            "UPDATE queue_recipient SET state = 1, attempts = attempts + 1, next_attempt = ?, destination = ?,"
            " reply = '451 4.3.0 no' WHERE message = ? AND n = ?",
            (at, destination, message, n),
        )
    )


def test_deferred_rows_are_found_when_due_and_retry_makes_them_due(store: Store) -> None:
    queue, hurried = Queue(), []
    queue.listen(lambda: None, lambda: hurried.append(1))
    message = store.write_now(lambda tx: put(tx, queue, *(Recipient(f"{c}@x.test") for c in "abc")))
    defer(store, message, 0, 500.0)
    defer(store, message, 1, 300.0)
    assert [r.address for r in rows.fresh(store.reader, (0, -1), 10)] == ["c@x.test"]
    assert rows.due(store.reader, (0, 0, -1), 299.0, 10) == [] and rows.next_due(store.reader, 100.0) == 300.0
    found = rows.due(store.reader, (0, 0, -1), 500.0, 10)
    assert [r.address for r in found] == ["b@x.test", "a@x.test"] and found[0].attempts == 1
    assert [r.address for r in rows.due(store.reader, (300.0, message, 1), 500.0, 10)] == ["a@x.test"]
    assert store.write_now(lambda tx: queue.retry(tx, [message], 200.0)) == 2 and hurried == [1]
    assert len(rows.due(store.reader, (0, 0, -1), 200.0, 10)) == 2


def test_a_destination_that_answers_again_makes_only_its_own_rows_due(store: Store) -> None:
    queue = Queue()
    message = store.write_now(lambda tx: put(tx, queue, Recipient("a@x.test"), Recipient("b@y.test")))
    defer(store, message, 0, 500.0, "x.test")
    defer(store, message, 1, 500.0, "y.test")
    assert store.write_now(lambda tx: queue.hurry(tx, "x.test", 200.0)) == 1
    assert [r.address for r in rows.due(store.reader, (0, 0, -1), 200.0, 10)] == ["a@x.test"]


def test_parked_mail_is_hurried_without_what_the_destination_put_off(store: Store) -> None:
    queue = Queue()
    message = store.write_now(lambda tx: put(tx, queue, *(Recipient(f"{c}@x.test") for c in "abc")))
    for n in range(3):
        defer(store, message, n, 500.0)
    store.write_now(lambda tx: tx.execute("UPDATE queue_recipient SET attempts = 0 WHERE n > 0"))  # parked
    assert store.write_now(lambda tx: queue.hurry(tx, "x.test", 200.0, limit=1, attempts_max=0)) == 1
    assert [r.address for r in rows.due(store.reader, (0, 0, -1), 200.0, 10)] == ["b@x.test"]


def test_the_operator_sees_what_waits_and_where(store: Store) -> None:
    queue = Queue()
    message = store.write_now(lambda tx: put(tx, queue, *(Recipient(f"{c}@x.test") for c in "abc")))
    defer(store, message, 1, 300.0, "host-2")
    assert listing.counts(store.reader) == [listing.Count("x.test", 2, 0, 100.0), listing.Count("host-2", 0, 1, 100.0)]
    page = listing.waiting(store.reader, after=(message, 0), limit=1)
    assert [(w.n, w.recipient, w.sender, w.reply) for w in page] == [(1, "b@x.test", "s@a.test", "451 4.3.0 no")]


def test_the_runner_s_questions_touch_no_row_in_vain(store: Store) -> None:
    def plan(sql: str, values: tuple[object, ...]) -> str:
        return " ".join(str(row[3]) for row in store.reader.all("EXPLAIN QUERY PLAN " + sql, values))

    seen: list[tuple[str, tuple[object, ...]]] = []

    class Spy:
        def all(self, sql: str, values: tuple[object, ...] = ()) -> list[object]:
            seen.append((sql, values))
            return []

        one = all

    rows.fresh(Spy(), (1, 1), 10)  # type: ignore[arg-type]
    rows.due(Spy(), (1.0, 1, 1), 2.0, 10)  # type: ignore[arg-type]
    rows.next_due(Spy(), 2.0)  # type: ignore[arg-type]
    plans = [plan(*one) for one in seen]
    assert all("SEARCH" in p and "SCAN" not in p and "TEMP B-TREE" not in p for p in plans), plans
