"""Group commit: durable on return, each caller undone alone, nothing heard before the flush."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from store import Migration, Store, StoreFull, Transaction

TABLE = Migration("test", 1, "CREATE TABLE word (text TEXT NOT NULL UNIQUE) STRICT")


@pytest.fixture
def store(tmp_path: Path):
    store = Store(tmp_path / "host.db", [TABLE])
    yield store
    store.close()


def words(store: Store) -> list[str]:
    return [row[0] for row in store.reader.all("SELECT text FROM word ORDER BY text")]


def add(text: str):
    return lambda tx: tx.execute("INSERT INTO word VALUES (?)", (text,))


async def test_what_was_written_is_seen_by_readers(store: Store) -> None:
    await store.write(add("one"))
    assert words(store) == ["one"]


async def test_many_callers_share_a_flush_and_fail_alone(store: Store) -> None:
    jobs = [store.write(add(f"{n // 2:04}")) for n in range(400)]  # every word twice: the second must fail
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert sum(isinstance(result, sqlite3.IntegrityError) for result in results) == 200
    assert words(store) == [f"{n:04}" for n in range(200)]


async def test_work_that_raises_leaves_nothing_and_is_not_announced(store: Store) -> None:
    heard: list[str] = []

    def work(tx: Transaction) -> None:
        tx.execute("INSERT INTO word VALUES ('lost')")
        tx.after_commit(lambda: heard.append("lost"))
        raise KeyError("surprise")

    with pytest.raises(KeyError):
        await store.write(work)
    await store.write(add("kept"))
    await asyncio.sleep(0)
    assert words(store) == ["kept"]
    assert heard == []


async def test_work_that_ends_in_a_stop_iteration_keeps_nobody_waiting(store: Store) -> None:
    """No future takes one; those of the same group are told all the same."""
    nothing: list[str] = []
    results = await asyncio.gather(
        store.write(add("one")),
        store.write(lambda tx: next(word for word in nothing)),
        store.write(add("two")),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [sqlite3.Cursor, RuntimeError, sqlite3.Cursor]
    assert words(store) == ["one", "two"]


async def test_nested_work_is_undone_alone(store: Store) -> None:
    heard: list[str] = []

    def inner(tx: Transaction) -> None:
        tx.execute("INSERT INTO word VALUES ('inner')")
        tx.after_commit(lambda: heard.append("inner"))
        raise ValueError

    def outer(tx: Transaction) -> None:
        tx.execute("INSERT INTO word VALUES ('outer')")
        tx.after_commit(lambda: heard.append("outer"))
        with pytest.raises(ValueError):
            tx.nested(inner)

    await store.write(outer)
    await asyncio.sleep(0)
    assert words(store) == ["outer"]
    assert heard == ["outer"]


async def test_after_commit_comes_after_the_commit(store: Store) -> None:
    seen: list[list[str]] = []

    def work(tx: Transaction) -> None:
        tx.execute("INSERT INTO word VALUES ('one')")
        tx.after_commit(lambda: seen.append(words(store)))

    await store.write(work)
    await asyncio.sleep(0)
    assert seen == [["one"]]


async def test_a_full_disk_changes_nothing_and_is_over_when_there_is_room(store: Store) -> None:
    store.write_now(lambda tx: tx.execute("PRAGMA max_page_count = 20"))
    with pytest.raises(StoreFull):
        await store.write(add("x" * 200_000))
    assert words(store) == []
    store.write_now(lambda tx: tx.execute("PRAGMA max_page_count = 100000"))
    await store.write(add("x" * 200_000))
    assert len(words(store)) == 1


async def test_a_full_disk_fails_the_whole_group_or_only_its_cause_but_never_lies(store: Store) -> None:
    store.write_now(lambda tx: tx.execute("PRAGMA max_page_count = 30"))
    jobs = [store.write(add(f"{n:03}" + "x" * (100_000 if n == 20 else 10))) for n in range(40)]
    results = await asyncio.gather(*jobs, return_exceptions=True)
    told = {f"{n:03}" for n, result in enumerate(results) if not isinstance(result, Exception)}
    assert isinstance(results[20], StoreFull)
    assert {word[:3] for word in words(store)} == told


async def test_cancelling_a_caller_does_not_break_the_writer(store: Store) -> None:
    task = asyncio.ensure_future(store.write(add("one")))
    await asyncio.sleep(0)
    task.cancel()
    await store.write(add("two"))
    assert "two" in words(store)


def test_a_migration_is_applied_once(tmp_path: Path) -> None:
    for _ in range(2):
        Store(tmp_path / "host.db", [TABLE]).close()
    second = Migration("test", 2, "ALTER TABLE word ADD COLUMN at REAL")
    store = Store(tmp_path / "host.db", [TABLE, second])
    assert store.reader.all("SELECT at FROM word") == []
    store.close()


def test_a_migration_that_fails_leaves_everything_as_it_was(tmp_path: Path) -> None:
    Store(tmp_path / "host.db", [TABLE]).close()
    good = Migration("test", 2, "ALTER TABLE word ADD COLUMN at REAL")
    with pytest.raises(sqlite3.OperationalError):
        Store(tmp_path / "host.db", [TABLE, good, Migration("test", 3, "ALTER TABLE nothing ADD COLUMN at REAL")])
    store = Store(tmp_path / "host.db", [TABLE])
    assert "at" not in [column[1] for column in store.reader.all("PRAGMA table_info(word)")]
    store.close()
    Store(tmp_path / "host.db", [TABLE, good]).close()


def test_the_writer_flushes_every_commit(store: Store) -> None:
    """NORMAL would lose acknowledged mail at a power cut."""
    assert store.write_now(lambda tx: tx.one("PRAGMA synchronous")) == (2,)
    assert store.reader.one("PRAGMA journal_mode") == ("wal",)


def test_a_store_that_is_closed_holds_no_file(tmp_path: Path) -> None:
    """What it leaves is one file, which can be taken away and gives its room back at once."""
    store = Store(tmp_path / "closed.db", [TABLE])
    store.write_now(add("one"))
    assert words(store) == ["one"]
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["closed.db"]
    handles = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert not [name for name in handles if name.startswith(str(tmp_path))]
