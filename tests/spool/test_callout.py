"""Asking the owner of an address, and what it costs when the owner is away."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from mail.envelope import Arrival
from mail.outcome import Deferred, Delivered, Outcome, Refused
from spool.callout import Callout
from spool.route import Here, Route, Via
from spool.runner_settings import Settings
from store import Transaction
from tests.spool.scripted_peer import FEATURES, Peer

SETTINGS = Settings("host-1", "host-1.test", ask_seconds=0.5)


class Us:
    def route(self, recipient: str) -> Route:
        return Here()

    def receive(self, tx: Transaction, arrival: Arrival, recipient: str) -> Outcome:
        return Delivered()

    def prove(self, nonce: str, server: str) -> tuple[str, str] | None:
        return "host-1", f"proof-{nonce}-{server}"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def via(peer: Peer, mailbox: str) -> Via:
    return Via("host-2", "127.0.0.1", peer.port, mailbox)


def answer(address: str) -> str:
    return {"no": "550 5.1.1 no", "later": "451 4.3.0 moving"}.get(address.partition("@")[0], "250 Ok")


def asked(peer: Peer) -> list[str]:
    return [line for line in peer.heard if line.startswith("RCPT")]


async def test_the_owner_s_word_is_passed_on_and_remembered_for_a_while() -> None:
    clock = Clock()
    async with Peer(rcpt=answer, features=(*FEATURES, "XHELIOGRAPH n")) as peer:
        callout = Callout(SETTINGS, Us(), clock)
        for _ in range(2):
            assert isinstance(await callout.ask(via(peer, "a@x")), Delivered)
            assert await callout.ask(via(peer, "no@x")) == Refused("5.1.1 no")
            assert await callout.ask(via(peer, "later@x")) == Deferred("4.3.0 moving")
        assert asked(peer) == [f"RCPT TO:<{a}@x>" for a in ("a", "no", "later", "later")]  # "not now" is not kept
        assert peer.connections == 1 and peer.heard[1] == "XHELIOGRAPH host-1 proof-n-host-2"
        clock.now += 61
        await callout.ask(via(peer, "a@x"))
        await callout.ask(via(peer, "no@x"))
        assert asked(peer)[4:] == ["RCPT TO:<no@x>"]
        clock.now += 300
        await callout.ask(via(peer, "a@x"))
        assert asked(peer)[5:] == ["RCPT TO:<a@x>"]
        callout.forget("a@x")
        await callout.ask(via(peer, "a@x"))
        assert len(asked(peer)) == 7 and not peer.taken
        await callout.close()


async def test_all_who_ask_at_once_share_questions_and_transactions() -> None:
    async with Peer(rcpt=answer) as peer:
        callout = Callout(SETTINGS, Us())
        names = [f"u{n % 100}@x" for n in range(1000)]
        outcomes = await asyncio.gather(*(callout.ask(via(peer, name)) for name in names))
        assert all(isinstance(outcome, Delivered) for outcome in outcomes)
        assert len(asked(peer)) == 100 and sum(line.startswith("MAIL") for line in peer.heard) <= 2
        await callout.close()


async def test_an_owner_that_is_away_costs_nothing_after_the_first_time() -> None:
    clock = Clock()
    async with Peer() as peer:
        gone = via(peer, "a@x")
    callout = Callout(SETTINGS, Us(), clock)
    assert isinstance(await callout.ask(gone), Deferred)
    async with await Peer().start(gone.port) as peer:
        assert isinstance(await callout.ask(gone), Deferred) and peer.connections == 0  # not even tried
        clock.now += 2
        assert isinstance(await callout.ask(gone), Delivered)
        await callout.close()


async def test_an_owner_that_never_answers_defers_in_time_and_one_who_gives_up_harms_nobody() -> None:
    async def mute(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(60)
        return True

    async with Peer(hook=mute) as peer, asyncio.timeout(5):
        callout = Callout(SETTINGS, Us())
        first = asyncio.create_task(callout.ask(via(peer, "a@x")))
        second = asyncio.create_task(callout.ask(via(peer, "a@x")))
        await asyncio.sleep(0.05)
        first.cancel()
        assert isinstance(await second, Deferred)
        assert isinstance(await callout.ask(via(peer, "b@x")), Deferred) and peer.connections == 1
        await callout.close()


async def test_a_connection_that_died_meanwhile_is_replaced() -> None:
    async with Peer() as peer:
        callout = Callout(SETTINGS, Us())
        await callout.ask(via(peer, "a@x"))
        port = peer.port
    async with await Peer().start(port) as again:
        assert isinstance(await callout.ask(via(again, "b@x")), Delivered) and again.connections == 1
        await callout.close()


async def test_a_refusal_of_the_question_is_no_word_on_the_recipient() -> None:
    async with Peer(mail=lambda line: "550 5.7.1 no bounces here") as peer:
        callout = Callout(SETTINGS, Us())
        assert isinstance(await callout.ask(via(peer, "a@x")), Deferred)
        await callout.close()


async def test_what_is_remembered_is_bounded() -> None:
    async with Peer(rcpt=answer) as peer:
        callout = Callout(replace(SETTINGS, ask_answers_max=10), Us())
        for n in range(30):
            await callout.ask(via(peer, f"u{n}@x"))
        assert len(callout._answers) == 10
        await callout.close()
