"""Stories of the queue's runner: what is put is delivered, put off or bounced, and nothing stands in another's way."""

from __future__ import annotations

import asyncio
import email
from dataclasses import replace
from pathlib import Path

import pytest

from mail.envelope import Arrival, Recipient
from mail.outcome import Deferred, Delivered, Outcome, Refused
from spool.door import RcptTo
from spool.inbox import Inbox
from spool.queue import Row, fresh
from spool.route import Abroad, Via
from spool.step import Step
from store import Transaction
from tests.spool.queue_house import MESSAGE, SETTINGS, House
from tests.spool.scripted_peer import FEATURES, Peer

# mail for this host


async def test_mail_for_this_host_goes_into_its_room_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.put("a@here", Recipient("b@here", "own+bounce@here"), "c@here")
        await house.empty()
        assert house.filed() == ["a@here", "b@here", "c@here"]
        assert house.filed("sender") == ["alice@here", "own+bounce@here", "alice@here"]
        first, _, third = house.fabric.arrivals
        assert first is third and first.signed_by == "host-1" and first.content == MESSAGE  # made once, shared
        assert house.events("delivered") == [{"destination": "here", "recipients": 3, "message": 1}]


async def test_what_a_room_defers_is_tried_again_and_undone_meanwhile(tmp_path: Path) -> None:
    tries: list[str] = []

    def room(tx: Transaction, arrival: Arrival, recipient: str) -> Outcome:
        tries.append(recipient)
        return Deferred("4.2.1 moving") if len(tries) < 3 else Delivered()

    async with House(tmp_path) as house:
        house.fabric.room = room
        await house.put("a@here")
        await house.until(lambda: any(w.attempts for w in house.waiting()) or len(tries) == 3)
        await house.empty()
        assert tries == ["a@here"] * 3 and house.events("deferred")[0]["reply"] == "451 4.2.1 moving"


async def test_a_room_that_fails_on_one_recipient_fails_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = True

    def room(tx: Transaction, arrival: Arrival, recipient: str) -> Outcome:
        if recipient == "bad@here" and broken:
            tx.after_commit(lambda: pytest.fail("undone work must not be heard of"))
            raise RuntimeError("a bug in a room")
        return Delivered()

    async with House(tmp_path) as house:
        house.fabric.room = room
        message = await house.put("a@here", "bad@here", "c@here")
        await house.until(lambda: [w.recipient for w in house.waiting() if w.attempts > 1] == ["bad@here"])
        assert house.filed() == ["a@here", "c@here"]  # what the failing call wrote was undone
        assert f"message {message}" in caplog.text and house.waiting()[0].reply.startswith("451 4.3.0")
        broken = False
        await house.empty()
        assert house.filed() == ["a@here", "c@here", "bad@here"]


async def test_what_a_room_refuses_comes_back_to_its_own_return_path(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        house.fabric.room = lambda tx, arrival, to: (
            Refused("5.7.1 not the owner") if to.startswith("no") else Delivered()
        )
        await house.put("no1@here", "ok@here", Recipient("no2@here", "bob+bounce@here"), RcptTo("no3@here", "NEVER"))
        await house.empty()
        notices = dict(zip(house.filed(), house.store.reader.all("SELECT sender, content FROM filed"), strict=True))
        for path, failed in (("alice@here", b"no1@here"), ("bob+bounce@here", b"no2@here")):
            sender, content = notices[path]
            assert sender == "" and b"Final-Recipient: rfc822; " + failed in content
            assert content.count(b"Final-Recipient") == 1 and b"550 5.7.1 not the owner" in content
            assert b"Heliograph-Source" not in content and b"Subject: hello" in content
            # A list's own path is one of many; of the post, the header is enough there.
            assert (b"\r\ntext\r\n" in content) == (path == "alice@here")
        assert house.events("bounced")[0]["recipients"] == 3
        assert [a.signed_by for a in house.fabric.arrivals if a.sender == ""] == ["host-1", "host-1"]


async def test_a_notice_that_cannot_be_delivered_is_not_answered(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        house.fabric.room = lambda tx, arrival, to: Refused("5.1.1 nobody")
        await house.put("a@here", sender="b@here")
        await house.empty()
        assert house.filed() == ["a@here", "b@here"] and len(house.events("double-bounce")) == 1


async def test_a_stranger_s_text_does_not_come_back(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        house.fabric.room = lambda tx, arrival, to: Delivered() if arrival.sender == "" else Refused("5.1.1 nobody")
        await house.put("a@here", sender="forged@here", signed_by="")
        await house.empty()
        (content,) = house.store.reader.all("SELECT content FROM filed WHERE recipient = 'forged@here'")[0]
        assert b"Subject: hello" in content and b"text\r\n" not in content


async def test_who_asked_for_it_hears_of_success(tmp_path: Path) -> None:
    async with Peer(features=("PIPELINING", "8BITMIME")) as old, Peer() as new, House(tmp_path) as house:
        house.fabric.ports = {"old.test": old.port, "new.test": new.port}
        await house.put(
            *(RcptTo(f"a@{domain}", "SUCCESS", "rfc822;a@x") for domain in ("here", "old.test", "new.test"))
        )
        await house.empty()
        notices = [email.message_from_bytes(a.content) for a in house.fabric.arrivals if a.sender == ""]
        assert sorted(str(n["Subject"]) for n in notices) == ["Delivered mail: hello", "Relayed mail: hello"]
        assert new.taken[0].rcpts == ["RCPT TO:<a@new.test> NOTIFY=SUCCESS ORCPT=rfc822;a@x"]


async def test_the_sender_s_own_word_for_his_mail_goes_to_strangers_and_back_to_him(tmp_path: Path) -> None:
    """Between hosts the mail has the name by which they know a repeat, whatever a stranger calls it."""
    async with Peer() as host, Peer() as far, House(tmp_path) as house:
        house.fabric.ports = {"host-2": host.port, "far.test": far.port}
        house.fabric.routes["no@gone.test"] = Refused("5.1.2 gone")
        await house.put("a@host-2", "b@far.test", "no@gone.test", client_envid="QQ 314+159")
        await house.empty()
        (notice,) = (email.message_from_bytes(a.content) for a in house.fabric.arrivals if a.sender == "")
        (about, _) = notice.get_payload()[1].get_payload()
        assert about["Original-Envelope-Id"] == "QQ 314+159"
        assert "ENVID=QQ+20314+2B159" in far.taken[0].mail and "314" not in host.taken[0].mail


# mail for other hosts


async def test_a_fan_out_is_one_transaction_per_host_and_message(tmp_path: Path) -> None:
    async with Peer(features=(*FEATURES, "XHELIOGRAPH n")) as two, Peer() as three, House(tmp_path) as house:
        house.fabric.ports = {"host-2": two.port, "host-3": three.port}
        message = [f"u{n}@host-{2 + n % 2}" for n in range(600)]
        await house.put(*message)
        await house.empty()
        assert [len(t.recipients) for t in (*two.taken, *three.taken)] == [300, 300]
        assert two.recipients + three.recipients == message[::2] + message[1::2]
        assert two.taken[0].content == MESSAGE and "ENVID=" in two.taken[0].mail
        assert two.heard[1] == "XHELIOGRAPH host-1 proof-n-host-2"
        await house.put("again@host-2")
        await house.empty()
        assert two.connections == 1  # kept open


async def test_abroad_goes_without_our_fields_and_fifty_at_a_time(tmp_path: Path) -> None:
    async with Peer() as peer, House(tmp_path) as house:
        house.fabric.ports = {"b.test": peer.port}
        signed = b"DKIM-Signature: s=host-1; d=fabric.x\r\n" + MESSAGE
        await house.put(*(f"u{n}@b.test" for n in range(120)), content=signed)
        await house.empty()
        assert sorted(len(t.recipients) for t in peer.taken) == [20, 50, 50] and len(set(peer.recipients)) == 120
        assert all(t.content == b"Subject: hello\r\n\r\ntext\r\n" for t in peer.taken)


async def test_an_address_that_a_host_cannot_take_does_not_keep_the_mail_from_the_others(tmp_path: Path) -> None:
    async with Peer(features=("PIPELINING", "8BITMIME")) as peer, House(tmp_path) as house:
        house.fabric.ports = {"b.test": peer.port}
        await house.put("a@b.test", "ä@b.test", "c@b.test")
        await house.empty()
        assert peer.recipients == ["a@b.test", "c@b.test"]
        (notice,) = (arrival.content for arrival in house.fabric.arrivals)
        assert b"\xc3\xa4@b.test" in notice and b"<a@b.test>" not in notice


async def test_own_return_paths_go_in_transactions_of_their_own(tmp_path: Path) -> None:
    async with Peer() as peer, House(tmp_path) as house:
        house.fabric.ports = {"b.test": peer.port}
        await house.put(Recipient("a@b.test", "x+1@here"), Recipient("b@b.test", "x+2@here"), "c@b.test", "d@b.test")
        await house.empty()
        assert sorted((t.sender, t.recipients) for t in peer.taken) == [
            ("alice@here", ["c@b.test", "d@b.test"]), ("x+1@here", ["a@b.test"]), ("x+2@here", ["b@b.test"]),
        ]  # fmt: skip


async def test_each_recipient_goes_its_own_way(tmp_path: Path) -> None:
    said = {"no@host-2": "550 5.1.1 no", "later@host-2": "450 4.2.1 later"}
    async with Peer(rcpt=lambda a: said.get(a, "250 Ok")) as peer, House(tmp_path) as house:
        house.fabric.ports = {"host-2": peer.port}
        await house.put("a@host-2", "no@host-2", "later@host-2", "b@host-2")
        await house.until(lambda: [(w.recipient, w.attempts > 1) for w in house.waiting()] == [("later@host-2", True)])
        (row,) = house.waiting()
        assert row.reply == "450 4.2.1 later" and row.destination == "host-2"
        assert peer.recipients == ["a@host-2", "b@host-2"] and house.filed() == ["alice@here"]  # the notice
        del said["later@host-2"]
        await house.empty()
        assert peer.recipients == ["a@host-2", "b@host-2", "later@host-2"]


async def test_a_peer_that_takes_fewer_at_once_gets_the_rest_at_once(tmp_path: Path) -> None:
    count = 0

    def rcpt(address: str) -> str:
        nonlocal count
        count += 1
        return "250 Ok" if count <= 10 else "452 4.5.3 too many recipients"

    def end(taken: object) -> str:
        nonlocal count
        count = 0
        return "250 Ok"

    async with Peer(rcpt=rcpt, end=end) as peer, House(tmp_path, replace(SETTINGS, concurrency_max=1)) as house:
        house.fabric.ports = {"b.test": peer.port}
        await house.put(*(f"u{n}@b.test" for n in range(45)))
        await house.empty()
        assert [len(t.recipients) for t in peer.taken] == [10, 10, 10, 10, 5] and not house.events("deferred")


async def test_after_five_days_the_sender_is_told_what_was_said_last(tmp_path: Path) -> None:
    async with Peer(rcpt=lambda a: "450 4.2.1 mailbox asleep") as peer, House(tmp_path) as house:
        house.fabric.ports = {"b.test": peer.port}
        await house.put("a@b.test")
        await house.until(lambda: house.waiting()[0].attempts > 1)
        house.late = 5 * 86_400
        house.runner.wake()
        await house.until(house.filed)
        (notice,) = house.filed("content")
        assert b"Status: 5.4.7" in notice  # type: ignore[operator]
        assert b"Diagnostic-Code: smtp; 450 4.2.1 mailbox asleep" in notice and b"Action: failed" in notice  # type: ignore[operator]
        await house.empty()


async def test_the_route_is_asked_for_at_every_attempt(tmp_path: Path) -> None:
    async with Peer() as peer, House(tmp_path) as house:
        house.fabric.routes["a@x"] = Deferred("4.4.4 the zone names no host")
        house.fabric.routes["b@x"] = Refused("5.1.1 means nothing")
        await house.put("a@x", "b@x")
        await house.until(lambda: [w.recipient for w in house.waiting()] == ["a@x"] and house.filed() == ["alice@here"])
        house.fabric.routes["a@x"] = Via("host-2", "127.0.0.1", peer.port, "a@b7.timeline.x")
        await house.empty()
        assert peer.recipients == ["a@b7.timeline.x"]


async def test_foreign_mail_finds_its_mx_and_null_mx_refuses(tmp_path: Path) -> None:
    from tests.spool.dns_server import Names

    records = {("b.test", "MX"): ["10 mx.b.test."], ("mx.b.test", "A"): ["127.0.0.1"], ("null.test", "MX"): ["0 ."]}
    async with Peer() as peer, Names(records) as names:
        settings = replace(SETTINGS, resolver=names.address, foreign_port=peer.port)
        async with House(tmp_path, settings) as house:
            house.fabric.routes = {f"a@{domain}": Abroad(domain) for domain in ("b.test", "null.test")}
            await house.put("a@b.test", "a@null.test")
            await house.empty()
            assert peer.recipients == ["a@b.test"] and b"556 5.1.10" in house.filed("content")[0]  # type: ignore[operator]


async def test_a_kept_connection_that_the_peer_closed_costs_no_delay(tmp_path: Path) -> None:
    """The peer hangs up just as the next mail comes: nothing was heard, so a new connection is tried at once."""
    hang_up = False

    async def leave(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        nonlocal hang_up
        if line.startswith("MAIL") and hang_up:
            hang_up = False
            writer.close()
            await asyncio.sleep(0.01)
        return False

    async with Peer(hook=leave) as peer, House(tmp_path) as house:
        house.fabric.ports = {"host-2": peer.port}
        await house.put("a@host-2")
        await house.empty()
        hang_up = True
        await house.put("b@host-2")
        await house.empty()
        assert peer.recipients == ["a@host-2", "b@host-2"] and not house.events("deferred") and peer.connections == 2


async def test_what_is_on_its_way_again_is_not_taken_twice_however_often_one_looks(tmp_path: Path) -> None:
    first = True

    async def slow(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if line.startswith("MAIL") and not first:
            await asyncio.sleep(0.5)  # many sweeps long
        return False

    def rcpt(address: str) -> str:
        nonlocal first
        was, first = first, False
        return "450 4.2.1 later" if was else "250 Ok"

    async with Peer(hook=slow, rcpt=rcpt) as peer, House(tmp_path) as house:
        house.fabric.ports = {"host-2": peer.port}
        await house.put("a@host-2")
        await house.until(lambda: house.waiting()[0].attempts == 1)
        for _ in range(20):
            house.runner.wake()
            await asyncio.sleep(0.02)
        await house.empty()
        assert peer.recipients == ["a@host-2"]


async def test_what_was_dropped_while_on_its_way_is_neither_filed_nor_told_of(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def wait(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if line.startswith("MAIL"):
            await go.wait()
        return False

    settings = replace(SETTINGS, timeouts=replace(SETTINGS.timeouts, command=30))
    refusing = Peer(hook=wait, rcpt=lambda a: "550 5.1.1 no", features=("PIPELINING", "8BITMIME"))
    async with refusing as peer, House(tmp_path, settings) as house:
        house.fabric.ports = {"host-2": peer.port}
        message = await house.put(RcptTo("a@host-2", "SUCCESS,FAILURE", ""))
        await house.until(lambda: any(line.startswith("MAIL") for line in peer.heard))
        await house.store.write(lambda tx: house.queue.drop(tx, [message]))
        go.set()
        await house.until(lambda: "RSET" in peer.heard or peer.open == 0 or peer.heard[-1] == "DATA")
        await asyncio.sleep(0.1)
        await house.empty()
        assert house.filed() == [] and not house.events("bounced")


async def test_a_step_takes_only_what_is_still_queued(tmp_path: Path) -> None:
    async with House(tmp_path) as house:

        def put_and_drop(tx: Transaction) -> None:  # the runner's step comes after the drop, with the rows in hand
            first = house.put_in(tx, "a@here", "b@here")
            rows = fresh(tx, (first, -1), 10)
            tx.execute("DELETE FROM queue_recipient WHERE message = ? AND n = 0", (first,))
            Step(house.fabric, house.runner.settler, SETTINGS).take(tx, rows, 0.0)

        await house.store.write(put_and_drop)
        await house.empty()
        assert house.filed() == ["b@here"]


def test_the_inbox_gives_every_fourth_step_to_the_slow_lane() -> None:
    async def lanes() -> list[bool]:
        inbox = Inbox(None, None, None, replace(SETTINGS, here_rows=1), lambda: 0.0, lambda rows, retry: None)  # type: ignore[arg-type]
        for n in range(20):
            inbox.add(Row(1, n, "a@here", None, "", "", 0, 0.0), retry=n % 2 == 1)
        return [inbox._take()[1] for _ in range(12)]

    assert asyncio.run(lanes()) == [False, False, False, True] * 3


# destinations that do not answer, or take their time


async def test_a_host_that_comes_back_gets_its_mail_at_once(tmp_path: Path) -> None:
    never = replace(SETTINGS.fabric, waits_seconds=(3600.0,), floor_seconds=3600.0)
    async with House(tmp_path, replace(SETTINGS, fabric=never, failures_max=1)) as house:
        async with Peer() as peer:
            house.fabric.ports = {"host-2": peer.port}
        ids = [await house.put(f"u{n}@host-2") for n in range(20)]
        await house.until(lambda: all(w.attempts == 1 for w in house.waiting()))
        assert house.waiting()[0].reply.startswith("451 4.4.1 host-2[127.0.0.1]")
        async with await Peer().start(peer.port) as back:
            while not back.recipients:  # one is enough to find out; it may be seen before the breaker is reset
                await house.store.write(lambda tx: house.queue.retry(tx, ids[:1], 0.0))
                await asyncio.sleep(0.1)
            await house.empty()
            assert sorted(back.recipients) == sorted(f"u{n}@host-2" for n in range(20))


async def test_the_operator_s_retry_does_not_wait_for_the_breaker(tmp_path: Path) -> None:
    never = replace(SETTINGS.fabric, waits_seconds=(3600.0,), floor_seconds=3600.0)
    async with House(tmp_path, replace(SETTINGS, fabric=never, failures_max=1)) as house:
        async with Peer() as peer:
            house.fabric.ports = {"host-2": peer.port}
        message = await house.put("a@host-2")
        await house.until(lambda: house.waiting()[0].attempts == 1)
        async with await Peer().start(peer.port):
            await house.store.write(lambda tx: house.queue.retry(tx, [message], 0.0))
            await house.empty()


async def test_a_host_that_says_that_it_takes_mail_again_gets_its_own(tmp_path: Path) -> None:
    never = replace(SETTINGS.fabric, waits_seconds=(3600.0,), floor_seconds=3600.0)
    async with House(tmp_path, replace(SETTINGS, fabric=never, failures_max=1)) as house:
        async with Peer() as two, Peer() as three:
            house.fabric.ports = {"host-2": two.port, "host-3": three.port}
        await house.put("a@host-2", "b@host-2", "c@host-3")
        await house.until(lambda: all(w.attempts == 1 for w in house.waiting()))
        async with await Peer().start(two.port), await Peer().start(three.port) as three:
            house.runner.hurry("host-2")
            await house.until(lambda: [w.recipient for w in house.waiting()] == ["c@host-3"])
            assert not three.recipients


async def test_a_destination_that_hangs_holds_up_nobody_else(tmp_path: Path) -> None:
    """500 recipients for a host that never answers, more than memory takes, stand before one for another."""

    async def mute(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(60)
        return True

    settings = replace(SETTINGS, fresh_rows_max=100, load_rows=50, timeouts=replace(SETTINGS.timeouts, command=30))
    async with Peer(hook=mute) as hung, Peer() as well, House(tmp_path, settings) as house:
        house.fabric.ports = {"host-2": hung.port, "host-3": well.port}
        await house.put(*(f"u{n}@host-2" for n in range(500)))
        await house.put("fresh@host-3", "x@here")
        await house.until(lambda: well.recipients == ["fresh@host-3"] and house.filed() == ["x@here"], seconds=20)
        await house.until(lambda: len(house.waiting()) == 500)  # the ledger's commit comes after the peer's 250
        assert hung.busiest <= 20


async def test_mail_that_was_put_off_does_not_hold_up_fresh_mail(tmp_path: Path) -> None:
    """The slow lane's own share: however much of it hangs, a connection is left for what is new."""

    async def crawl(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if line.startswith("RCPT TO:<old"):
            await asyncio.sleep(60)
        return False

    settings = replace(SETTINGS, timeouts=replace(SETTINGS.timeouts, command=30), concurrency_max=4)
    later = Peer(rcpt=lambda a: "450 later" if a.startswith("old") else "250 Ok")
    async with later as peer, House(tmp_path, settings) as house:
        house.fabric.ports = {"host-2": peer.port}
        for n in range(10):
            await house.put(f"old{n}@host-2")
        await house.until(lambda: all(w.attempts for w in house.waiting()))
        peer.hook = crawl
        await asyncio.sleep(0.3)
        await house.put("new@host-2")
        await house.until(lambda: peer.recipients == ["new@host-2"], seconds=3)


async def test_a_hung_destination_s_rows_come_back_when_it_works_again(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def slow(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await gate.wait()
        return False

    settings = replace(SETTINGS, fresh_rows_max=100, retry_rows_max=100, load_rows=50, fabric_recipients_max=10)
    settings = replace(settings, timeouts=replace(SETTINGS.timeouts, command=30, greeting=30))
    async with Peer(hook=slow) as peer, House(tmp_path, settings) as house:
        house.fabric.ports = {"host-2": peer.port}
        await house.put(*(f"u{n}@host-2" for n in range(300)))
        await house.put("x@here")
        await house.until(lambda: house.filed() == ["x@here"], seconds=4)  # the rest is parked
        gate.set()
        await house.until(lambda: len(set(peer.recipients)) == 300)
        await house.empty()
        assert len(peer.recipients) == 300 and all(w.attempts == 0 for w in house.waiting())


async def test_mail_whose_sending_fails_for_a_fault_of_ours_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    faults = iter(range(2))

    def prove(nonce: str, server: str) -> tuple[str, str] | None:
        if next(faults, None) is not None:
            raise RuntimeError("the key is not to be found")
        return None

    async with Peer(features=("PIPELINING", "XHELIOGRAPH nonce")) as peer, House(tmp_path, start=False) as house:
        house.fabric.ports, house.fabric.prove = {"host-2": peer.port}, prove  # type: ignore[method-assign]
        await house.runner.start()
        await house.put("u@host-2")
        await house.empty()
        assert peer.recipients == ["u@host-2"] and "the key is not to be found" in caplog.text


async def test_what_hangs_at_a_host_that_is_gone_goes_where_it_belongs_now(tmp_path: Path) -> None:
    """Some are at a command that is never answered, the rest wait behind them; nobody waits for a timeout."""

    async def mute(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(60)
        return True

    settings = replace(SETTINGS, fabric_recipients_max=5, timeouts=replace(SETTINGS.timeouts, command=60, greeting=60))
    async with Peer(hook=mute) as frozen, Peer() as heir, House(tmp_path, settings) as house:
        names = [f"u{n}@host-2" for n in range(40)]
        house.fabric.ports = {"host-2": frozen.port}
        await house.put(*names)
        await house.until(lambda: frozen.busiest > 0)
        for name in names:
            house.fabric.routes[name] = Via("host-3", "127.0.0.1", heir.port, name)
        house.runner.give_up("host-2")
        await house.empty()
        assert sorted(heir.recipients) == sorted(names)


async def test_no_more_connections_than_allowed(tmp_path: Path) -> None:
    async def slow(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(0.002)
        return False

    settings = replace(SETTINGS, concurrency_max=7, connections_max=3)
    async with Peer(hook=slow) as host, Peer(hook=slow) as foreign, House(tmp_path, settings) as house:
        house.fabric.ports = {"host-2": host.port, **{f"d{n}.test": foreign.port for n in range(20)}}
        for n in range(60):
            await house.put(f"u{n}@host-2", f"u{n}@d{n % 20}.test")
        await house.empty()
        assert 2 <= host.busiest <= 7 and len(foreign.recipients) == 60
        assert foreign.busiest <= 6  # at work and kept open, both within bounds


async def test_who_waits_for_a_connection_does_not_wait_until_others_have_sent_all_they_have(tmp_path: Path) -> None:
    order: list[str] = []
    go_on = asyncio.Event()

    async def wait(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await go_on.wait()
        return False

    def note(address: str) -> str:
        order.append(address)
        return "250 2.1.5 Ok"

    settings = replace(SETTINGS, connections_max=2)
    async with Peer(hook=wait, rcpt=note) as large, Peer(rcpt=note) as small, House(tmp_path, settings) as house:
        house.fabric.ports = {"large.test": large.port, "small.test": small.port}
        for n in range(80):
            await house.put(f"u{n}@large.test")
        await house.until(lambda: large.connections == 2)
        await house.put("x@small.test")
        await house.until(lambda: len(house.runner._outbox._connections._denied) == 2)
        go_on.set()
        await house.empty()
        assert order.index("x@small.test") < 60 and len(order) == 81 and large.connections == 2


async def test_who_waited_for_a_connection_gets_one_though_others_need_none_any_more(tmp_path: Path) -> None:
    """d0 was denied a second one, and its first did all; whoever was denied after it is next."""

    go_on = asyncio.Event()

    async def wait(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await go_on.wait()
        return False

    settings = replace(SETTINGS, connections_max=1)
    async with Peer(hook=wait) as first, Peer() as second, Peer() as third, House(tmp_path, settings) as house:
        house.fabric.ports = {"d0.test": first.port, "d1.test": second.port, "d2.test": third.port}
        for n in (0, 0, 0, 1, 2):
            await house.put(f"u@d{n}.test")
        await house.until(lambda: house.runner.destinations()["answering"] == 3)
        go_on.set()
        await house.empty()


# stopping


async def test_stopping_finishes_what_is_in_flight_and_the_next_start_does_the_rest(tmp_path: Path) -> None:
    async def slow(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(0.05)
        return False

    async with Peer(hook=slow) as peer:
        async with House(tmp_path, replace(SETTINGS, concurrency_max=1, fabric_recipients_max=1)) as house:
            house.fabric.ports = {"host-2": peer.port}
            await house.put(*(f"u{n}@host-2" for n in range(12)))
            await house.until(lambda: peer.recipients)
        sent = len(peer.recipients)
        assert 0 < sent < 12
        async with House(tmp_path) as house:
            house.fabric.ports = {"host-2": peer.port}
            assert len(house.waiting()) == 12 - sent
            await house.empty()
        assert sorted(peer.recipients) == sorted(f"u{n}@host-2" for n in range(12))  # none twice


async def test_what_the_operator_drops_is_told_or_not(tmp_path: Path) -> None:
    async with House(tmp_path, start=False) as house:
        first, second = await house.put("a@b.test", "b@b.test"), await house.put("c@b.test")
        assert await house.store.write(lambda tx: house.queue.drop(tx, [first])) == 2
        assert house.waiting()[0].recipient == "c@b.test"
        assert await house.store.write(lambda tx: house.runner.settler.drop(tx, [second, first], 0.0)) == 1
        assert [w.recipient for w in house.waiting()] == ["alice@here"]  # the notice
        await house.runner.start()
        await house.empty()
        assert b"dropped by the operator" in house.filed("content")[0]  # type: ignore[operator]
