"""A standby holds every page: whatever the owner acknowledged is in the replica, and the replica is the database."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from heliograph.standby import replica, sender
from heliograph.standby.page_log import PageLog
from heliograph.standby.passage import Passage
from heliograph.standby.replica import Replica
from heliograph.standby.replicas import NoReplica
from store import StandbyBehind, Store, StoreFull, Transaction, open_reader
from store.shipping import Held
from tests.standby.pair import MIGRATIONS, Pair, insert, until, words

NOT_LONG = 0.1


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(sender, "AGAIN_SECONDS", (0.02,))


async def test_what_was_acknowledged_is_in_the_replica(tmp_path: Path) -> None:
    async with Pair(tmp_path).at_work() as pair:
        await asyncio.gather(*(pair.add(f"{n}") for n in range(200)))
        assert sorted(await pair.held(), key=int) == [f"{n}" for n in range(200)]
        await pair.add("one more")
        assert (await pair.held())[-1] == "one more"
        await pair.same()


async def test_nobody_is_told_before_the_standby_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is who changed nothing, but may have seen it."""
    gate, append = [False], PageLog.append

    def slow(self: PageLog, packed: list[tuple[bytes, bool]]) -> None:
        while not gate[0]:
            time.sleep(0.005)
        append(self, packed)

    async with Pair(tmp_path).at_work() as pair:
        await pair.in_step()
        await pair.add("first")
        monkeypatch.setattr(PageLog, "append", slow)
        heard: list[str] = []

        def work(tx: Transaction) -> None:
            insert(tx, "second")
            tx.after_commit(lambda: heard.append("second"))

        writing = asyncio.ensure_future(pair.store.write(work))
        await until(lambda: pair.store.reader.one("SELECT count(*) FROM word") == (2,))
        looking = asyncio.ensure_future(pair.store.write(lambda tx: tx.one("SELECT count(*) FROM word")))
        await asyncio.sleep(0.1)
        assert not writing.done() and not looking.done() and heard == []
        gate[0] = True
        assert await looking == (2,) and writing.done()
        await asyncio.sleep(0)
        assert heard == ["second"]


async def test_required_takes_nothing_while_the_standby_is_away(tmp_path: Path) -> None:
    async with Pair(tmp_path).at_work() as pair:
        await pair.add("before")
        pair.wait(NOT_LONG)
        pair.wire.is_up = False
        pair.wire.cut()
        heard: list[int] = []
        first = pair.store.write(lambda tx: (insert(tx, "unheard"), tx.after_commit(lambda: heard.append(1))))
        with pytest.raises(StandbyBehind):
            await first
        assert issubclass(StandbyBehind, StoreFull) and heard == []
        with pytest.raises(StandbyBehind):
            await pair.add("refused")
        assert [row[0] for row in pair.store.reader.all("SELECT text FROM word")] == ["before", "unheard"]
        pair.wire.is_up = True
        await pair.in_step()
        assert heard == [1]
        await pair.add("after")
        assert await pair.held() == ["before", "unheard", "after"]
        assert pair.wire.opened > 1
        await pair.same()


async def test_preferred_goes_on_and_catches_up(tmp_path: Path) -> None:
    async with Pair(tmp_path, "preferred").at_work() as pair:
        await pair.add("before")
        pair.wait(NOT_LONG)
        pair.wire.is_up = False
        pair.wire.cut()
        for n in range(20):
            await pair.add(f"{n}")
        state = pair.sender.state()
        assert state and state.behind and state.phase == "away" and "no answer" in state.why
        pair.wire.is_up = True
        await pair.in_step()
        await pair.add("after")
        assert await pair.held() == ["before", *(f"{n}" for n in range(20)), "after"]


async def test_no_standby_costs_nothing_and_the_zone_says_when(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.name(None)
    async with pair.at_work():
        await pair.add("alone")
        assert not pair.store.shipping.reads_along and pair.sender.state() is None
        with pytest.raises(NoReplica):
            await pair.held()
        pair.name("host-2")
        await pair.in_step()
        assert await pair.held() == ["alone"]
        pair.wire.is_up = False
        pair.wire.cut()
        waiting = asyncio.ensure_future(pair.add("left alone"))
        await until(lambda: pair.store.reader.one("SELECT count(*) FROM word") == (2,))
        pair.name(None)
        await waiting
        await pair.add("alone again")
        assert await pair.held() == ["alone"]


async def test_an_owner_lost_at_any_moment_has_acknowledged_nothing_that_is_lost(tmp_path: Path) -> None:
    """Streams break all the time; ten lives of an owner, the next of which goes on with the same disk."""
    chance, told = random.Random(5), set[str]()

    async def write_on(pair: Pair, life: int) -> None:
        for n in range(1_000):
            with suppress(StandbyBehind):
                text = f"{life} {n}" + "x" * chance.choice([1, 10, 5_000])
                await pair.add(text)
                told.add(text)

    pair = Pair(tmp_path)
    async with pair.at_work():
        await pair.in_step()
        for life in range(10):
            before = len(told)
            writing = [asyncio.create_task(write_on(pair, life * 10 + n)) for n in range(4)]
            for _ in range(3):
                await asyncio.sleep(chance.random() / 20)
                pair.wire.cut()
            await until(lambda: len(told) > before)  # noqa: B023
            await asyncio.sleep(chance.random() / 20)
            for task in writing:
                task.cancel()
            known = set(told)  # this is when the disk is lost
            assert known <= set(await pair.held())
            if life % 3 == 2:
                await pair.stop()
                await pair.start()
        await pair.in_step()
        await pair.same()
    assert len(told) >= 10


async def test_a_full_disk_of_the_standby(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write, full = PageLog._write, [False]

    def no_room(self: PageLog, octets: bytes) -> None:
        write(self, octets[: len(octets) // 2] if full[0] else octets)
        if full[0]:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(PageLog, "_write", no_room)
    async with Pair(tmp_path).at_work() as pair:
        await pair.add("before")
        pair.wait(NOT_LONG)
        full[0] = True
        with pytest.raises(StandbyBehind):
            await pair.add("no room")
        state = pair.sender.state()
        assert state and "No space left" in state.why
        full[0] = False
        await pair.in_step()
        await pair.add("after")
        assert await pair.held() == ["before", "no room", "after"]
        await pair.same()
    assert "No space left" in caplog.text and "holds everything again" in caplog.text


async def test_who_waits_when_the_host_ends_is_not_told_that_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "STOP_SECONDS_MAX", 0.1)
    async with Pair(tmp_path).at_work() as pair:
        await pair.add("before")
        pair.wire.is_up = False
        pair.wire.cut()
        waiting = asyncio.ensure_future(pair.add("not held"))
        await until(lambda: pair.store.reader.one("SELECT count(*) FROM word") == (2,))
        await pair.sender.stop()
        with pytest.raises(StandbyBehind):
            await waiting
        with pytest.raises(StandbyBehind):
            await pair.add("later")


async def test_what_was_not_flushed_is_not_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(file: int) -> None:
        raise OSError(5, "Input/output error")

    async with Pair(tmp_path).at_work() as pair:
        await pair.add("before")
        pair.wait(NOT_LONG)
        with monkeypatch.context() as patch:
            patch.setattr("heliograph.standby.page_log.os.fdatasync", failing)
            with pytest.raises(StandbyBehind):
                await pair.add("not flushed")
            state = pair.replicas.state("host-1")
            assert state and await pair.held() == ["before"]
        await pair.in_step()
        assert await pair.held() == ["before", "not flushed"]
        await pair.same()


async def test_what_cannot_be_put_into_the_file_stays_in_the_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(replica, "LOG_OCTETS", 50_000)
    full, write = [True], replica._write

    def no_room(*args: Any, **options: Any) -> None:
        if full[0] and options.get("flush"):
            raise OSError(28, "No space left on device")
        write(*args, **options)

    async with Pair(tmp_path).at_work() as pair:
        await pair.in_step()
        monkeypatch.setattr(replica, "_write", no_room)
        for n in range(20):
            await pair.add(f"{n}" + "x" * 10_000)
        await until(lambda: "cannot be put into its replica" in caplog.text)
        with pytest.raises(OSError):
            await pair.held()
        full[0] = False
        assert len(await pair.held()) == 20
        await pair.same()


async def test_a_slow_standby_is_sent_what_it_missed_from_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.shipping.ON_THEIR_WAY_OCTETS_MAX", 100_000)
    monkeypatch.setattr("store.shipping.CHECKPOINT_PAGES", 20)  # the log begins anew all the time, if it may
    slow, again = [0.3], list[int]()
    say, catch_up = Passage._say_record, Passage._catch_up

    async def slowly(self: Passage, octets: bytes) -> None:
        await asyncio.sleep(slow[0])
        await say(self, octets)

    async def counted(self: Passage, held: Held) -> None:
        again.append(held.number)
        await catch_up(self, held)

    monkeypatch.setattr(Passage, "_say_record", slowly)
    monkeypatch.setattr(Passage, "_catch_up", counted)
    async with Pair(tmp_path, "preferred").at_work() as pair:
        await pair.in_step()
        pair.wait(NOT_LONG)
        for n in range(12):
            await asyncio.gather(*(pair.add(f"{n} {m}" + "x" * 20_000) for m in range(4)))
        slow[0] = 0.0
        await pair.in_step()
        await pair.add("after")
        assert len(await pair.held()) == 49 and pair.wire.opened == 1 and len(again) > 1
        await pair.same()


async def test_what_was_sent_when_the_stream_began_makes_no_room_for_more(tmp_path: Path) -> None:
    """What waits in memory is what was read of commits less what was sent of them: of the same ones."""
    async with Pair(tmp_path, "preferred").at_work() as pair:
        await pair.in_step()
        pair.wire.is_up = False
        pair.wire.cut()
        await until(lambda: pair.phase == "away")
        pair.wait(0.0)
        await pair.add("missed" + "x" * 100_000)
        pair.wire.is_up = True
        await pair.in_step()
        await pair.add("after")
        shipping = pair.store.shipping
        await until(lambda: shipping._sent >= shipping._shipped > 0)
        assert shipping._sent == shipping._shipped


async def test_a_copy_is_made_while_writes_go_on_and_a_second_one_sends_little(tmp_path: Path) -> None:
    pair = Pair(tmp_path, "preferred")
    pair.name(None)
    async with pair.at_work():
        for _ in range(20):
            await asyncio.gather(*(pair.add("x" * 10_000) for n in range(100)))
        pair.name("host-2")
        pair.wait(NOT_LONG)
        for _ in range(100):
            await asyncio.gather(*(pair.add(f"meanwhile {n}") for n in range(20)))
        await pair.in_step()
        assert len(await pair.held()) == 4_000
        await pair.same()
        pair.wait(NOT_LONG)
        pair.wire.is_up = False
        pair.wire.cut()
        await pair.stop()
        await pair.start()
        await pair.add("while it was away")
        await pair.stop()  # the log goes when its database is closed: nobody knows any more what was sent
        pair.wire.is_up = True
        await pair.start()
        await pair.in_step()
        state = pair.sender.state()
        assert state and state.pages > 5_000 and state.octets < 1_500_000
        assert (await pair.held())[-1] == "while it was away"
        await pair.same()


async def test_a_whole_replica_stays_whole_while_another_copy_comes(tmp_path: Path) -> None:
    """The owner's disk may be lost in the middle of it."""
    pair = Pair(tmp_path, "preferred")
    async with pair.at_work():
        await pair.add("before")
        await pair.in_step()
        pair.wait(NOT_LONG)
        pair.wire.is_up = False
        pair.wire.cut()
        for _ in range(2):  # where the first one ended the standby knows; where the second did, nobody told it
            await pair.stop()
            await pair.start()
            await pair.add("later")
        await asyncio.gather(*(pair.add("later" * 1_000) for n in range(200)))
        lacks = Replica.lacks

        def cut(self: Replica, first: int, digests: list[bytes]) -> list[int]:
            pair.wire.is_up = False
            found = lacks(self, first, digests)
            assert found
            pair.wire.cut()
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Replica, "lacks", cut)
            pair.wire.is_up = True
            await until(lambda: not pair.wire.is_up)
            await until(lambda: pair.phase == "away")
        assert await pair.held() == ["before"]
        pair.wire.is_up = True
        await pair.in_step()
        assert len(await pair.held()) == 203
        await pair.same()


async def test_an_owner_that_starts_again_goes_on_where_it_ended(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    async with pair.at_work():
        for life in range(4):
            await pair.add(f"life {life}")
            for _ in range(2):  # in the second one nothing is written
                await pair.stop()
                await pair.start()
                await until(lambda: pair.phase == "in step")
            await pair.in_step()
            state = pair.sender.state()
            assert state and state.pages == 0, "everything was compared"
        await pair.add("last")
        assert pair.wire.opened == 1 + 4 * 2  # and no stream broke
        assert await pair.held() == [*(f"life {life}" for life in range(4)), "last"]
        await pair.same()


async def test_an_owner_whose_log_began_anew_since_then_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("database", "shipping"):
        monkeypatch.setattr(f"store.{module}.CHECKPOINT_PAGES", 10)
    pair = Pair(tmp_path, "preferred")
    async with pair.at_work():
        await pair.add("before")
        pair.wait(NOT_LONG)
        await pair.stop()
        pair.wire.is_up = False
        await pair.start()
        for n in range(30):
            await pair.add(f"{n}" + "x" * 9_000)
        pair.wire.is_up = True
        await pair.in_step()
        assert len(await pair.held()) == 31
        await pair.same()


async def test_who_changed_nothing_does_not_wait_for_a_beat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heliograph.standby.passage.BEAT_SECONDS", 1e6)
    async with Pair(tmp_path).at_work() as pair:
        await pair.add("before")
        for _ in range(3):
            assert await pair.store.write(lambda tx: tx.one("SELECT count(*) FROM word")) == (1,)


@pytest.mark.parametrize("what", ["written", "older", "damaged"])
async def test_an_end_that_is_not_that_of_this_file_is_not_believed(tmp_path: Path, what: str) -> None:
    """A file that was put in its place, or written by others; and a note that a crash left."""
    pair = Pair(tmp_path)
    note = pair.path.with_name(f"{pair.path.name}-ended")
    async with pair.at_work():
        await pair.add("before")
        await pair.stop()
        assert note.exists()
        if what == "damaged":
            note.write_bytes(note.read_bytes()[:-1] + b"x")
        elif what == "older":
            copy = pair.path.with_name("copy")
            shutil.copy2(pair.path, copy)
            copy.rename(pair.path)
        else:
            kept = note.read_bytes()
            other = Store(pair.path, MIGRATIONS)
            assert not note.exists()
            await other.write(lambda tx: insert(tx, "by another"))
            other.close()
            assert not note.exists()
            note.write_bytes(kept)
        await pair.start()
        await pair.in_step()
        state = pair.sender.state()
        assert state and state.pages > 0
        assert await pair.held() == ["before", *["by another"] * (what == "written")]
        await pair.same()


async def test_another_database_does_not_take_the_place_of_a_replica(tmp_path: Path) -> None:
    """Whoever sets a lost host up anew must not lose its last copy by it."""
    pair = Pair(tmp_path)
    async with pair.at_work():
        await pair.add("all that is left")
        pair.wait(NOT_LONG)
        await pair.stop()
        pair.path.unlink()
        await pair.start()
        with pytest.raises(StandbyBehind):
            await pair.add("of a new one")
        state = pair.sender.state()
        assert state and "another database" in state.why
        assert await pair.held() == ["all that is left"]
        shutil.rmtree(tmp_path / "standby")  # the operator's word
        await pair.in_step()
        await pair.add("now")
        assert (await pair.held())[-1] == "now"


async def test_two_owners_at_one_host(tmp_path: Path) -> None:
    first = Pair(tmp_path, owner="host-1")
    second = Pair(tmp_path, owner="host-3", replicas=first.replicas)
    async with second.at_work(), first.at_work():
        await asyncio.gather(*(pair.add(f"{pair.owner} {n}") for n in range(50) for pair in (first, second)))
        assert first.replicas.owners() == ["host-1", "host-3"]
        assert {text.split()[0] for text in await first.held()} == {"host-1"}
        assert len(await second.held()) == 50


async def test_what_is_lent_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heliograph.standby.replica.LOG_OCTETS", 50_000)
    monkeypatch.setattr("heliograph.standby.replicas.LENT_OCTETS_MAX", 100_000)
    async with Pair(tmp_path).at_work() as pair:
        await pair.add("before")
        pressed, give_back = list[str](), asyncio.Event()
        pair.replicas.on_pressure(lambda owner: (pressed.append(owner), give_back.set()))
        async with pair.replicas.lend("host-1") as path:
            reader, stamp = open_reader(path), path.stat().st_mtime_ns
            for n in range(20):
                await pair.add(f"{n}" + "x" * 10_000)
            assert reader.all("SELECT text FROM word") == [("before",)]
            assert path.stat().st_mtime_ns == stamp and set(pressed) == {"host-1"}
            async with pair.replicas.lend("host-1", newest=False) as same:
                assert words(same) == ["before"]
            give_back.clear()
            wanting = asyncio.create_task(pair.held())
            await give_back.wait()
            assert not wanting.done()
            reader.connection.close()
        assert len(await wanting) == 21
        await until(lambda: len(list((tmp_path / "standby" / "host-1").glob("pages-*.log"))) == 1)
        state = pair.replicas.state("host-1")
        assert state and state.complete and state.connected and state.behind == 0
        await pair.same()
