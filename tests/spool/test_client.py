"""The client's session against peers that behave, and peers that do not, on real sockets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mail.outcome import Deferred, Delivered, Outcome, Refused
from spool.letter import Letter, prepare
from spool.runner_settings import Timeouts
from spool.smtp_client import Client, Session
from spool.smtp_client import Peer as Where
from tests.spool.scripted_peer import FEATURES, Peer

QUICK = Timeouts(connect=2, greeting=0.5, command=0.5, group=1, data=0.5, block=0.5, dot=0.5, quit=0.5)
MESSAGE = b"Subject: x\r\n\r\n.dot\r\ntext\r\n"


def letter(*recipients: str, content: bytes = MESSAGE, **more: object) -> Letter:
    return Letter("s@a.test", recipients or ("r@b.test",), prepare(content), **more)  # type: ignore[arg-type]


async def connect(peer: Peer, times: Timeouts = QUICK, name: str = "peer.test", **more: object) -> Session:
    session = await try_connect(peer, times, name, **more)
    assert isinstance(session, Session), session
    return session


async def try_connect(
    peer: Peer, times: Timeouts = QUICK, name: str = "peer.test", **more: object
) -> Session | Deferred:
    client = Client("us.test", times, **more)  # type: ignore[arg-type]
    return await client.connect(Where("127.0.0.1", peer.port, name, in_fabric=True))


async def send(peer: Peer, what: Letter | None = None) -> tuple[list[Outcome], Session]:
    session = await connect(peer)
    return await session.deliver(what or letter()), session


async def test_many_recipients_cost_two_round_trips_and_the_message_arrives_as_it_was() -> None:
    sizes: list[int] = []

    async def count(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if line.startswith("MAIL"):  # nothing was answered yet; all the rest must be here already
            await asyncio.sleep(0.05)
            sizes.append(bytes(reader._buffer).count(b"\r\n"))  # type: ignore[attr-defined]
        return False

    async with Peer(hook=count) as peer:
        session = await connect(peer)
        many = [f"r{n}@b.test" for n in range(100)]
        assert await session.deliver(letter(*many)) == [Delivered("2.0.0 Taken")] * 100
        assert await session.deliver(letter("again@b.test")) == [Delivered("2.0.0 Taken")]
        assert sizes == [101, 2] and peer.connections == 1
        assert peer.taken[0].content == MESSAGE and peer.recipients == [*many, "again@b.test"]
        await session.quit()
        assert peer.heard[-1] == "QUIT" and not session.is_usable


async def test_without_pipelining_each_command_waits_for_its_answer() -> None:
    waited: list[bool] = []

    async def alone(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(0.005)
        waited.append(not reader._buffer)  # type: ignore[attr-defined]
        return False

    refuse = {"no@b.test": "550 5.1.1 no"}
    async with Peer(features=("8BITMIME",), hook=alone, rcpt=lambda a: refuse.get(a, "250 Ok")) as peer:
        outcomes, session = await send(peer, letter("a@b.test", "no@b.test"))
        assert outcomes == [Delivered("2.0.0 Taken"), Refused("5.1.1 no")] and all(waited) and session.is_usable
        assert await session.deliver(letter("no@b.test")) == [Refused("5.1.1 no")]
        assert await session.deliver(letter("a@b.test")) == [Delivered("2.0.0 Taken")]
        assert peer.heard[-4:] == ["RSET", "MAIL FROM:<s@a.test>", "RCPT TO:<a@b.test>", "DATA"]


async def test_each_recipient_has_its_own_outcome_and_the_session_goes_on() -> None:
    said = {"no@b.test": "550 5.1.1 no", "later@b.test": "450 4.2.1 later"}
    async with Peer(rcpt=lambda a: said.get(a, "250 Ok")) as peer:
        outcomes, session = await send(peer, letter("a@b.test", "no@b.test", "later@b.test"))
        assert outcomes == [Delivered("2.0.0 Taken"), Refused("5.1.1 no"), Deferred("4.2.1 later", 450)]
        assert await session.deliver(letter("no@b.test")) == [Refused("5.1.1 no")]  # DATA is refused too: RSET follows
        assert await session.deliver(letter("a@b.test")) == [Delivered("2.0.0 Taken")]
        assert len(peer.taken) == 2 and "RSET" in peer.heard


async def test_a_peer_that_takes_data_for_nobody_gets_a_dot_and_no_message() -> None:
    got: list[bytes] = []

    async def naive(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if line != "DATA" or got:
            return False
        writer.write(b"354 go\r\n")
        got.append(await reader.readline())
        writer.write(b"554 5.5.1 nobody\r\n")
        return True

    async with Peer(rcpt=lambda a: "250 Ok" if got else "550 5.1.1 no", hook=naive) as peer:
        outcomes, session = await send(peer)
        assert outcomes == [Refused("5.1.1 no")] and got == [b".\r\n"]
        assert await session.deliver(letter()) == [Delivered("2.0.0 Taken")] and peer.taken[0].content == MESSAGE


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ("452 4.3.1 full", Deferred("4.3.1 full", 452)),
        ("554 5.6.0 no", Refused("5.6.0 no", 554)),
        ("354 what", Deferred("4.5.0 the peer's reply made no sense")),
    ],
)
async def test_the_answer_to_the_dot_is_the_outcome(reply: str, outcome: Outcome) -> None:
    async with Peer(end=lambda taken: reply) as peer:
        assert (await send(peer))[0] == [outcome]


async def test_mail_refused_is_refused_for_all_and_a_421_ends_the_session() -> None:
    async with Peer(mail=lambda line: "554 5.7.1 not you") as peer:
        outcomes, session = await send(peer, letter("a@b.test", "b@b.test"))
        assert outcomes == [Refused("5.7.1 not you", 554)] * 2 and session.is_usable
    async with Peer(end=lambda taken: "421 4.3.2 closing") as peer:
        outcomes, session = await send(peer)
        assert outcomes == [Deferred("4.3.2 closing", 421)] and not session.is_usable


@pytest.mark.parametrize("features", [("PIPELINING",), ()])
async def test_a_lost_connection_keeps_the_refusals_that_were_heard(features: tuple[str, ...]) -> None:
    async def hang_up(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if line.startswith("RCPT TO:<c@"):
            await writer.drain()
            writer.close()
        return False

    refuse = {"a@b.test": "550 5.1.1 no"}
    async with Peer(features=features, hook=hang_up, rcpt=lambda a: refuse.get(a, "250 Ok")) as peer:
        outcomes, session = await send(peer, letter("a@b.test", "b@b.test", "c@b.test"))
        assert outcomes[0] == Refused("5.1.1 no") and not session.is_usable
        assert all(isinstance(o, Deferred) and o.text.startswith("4.4.2") for o in outcomes[1:])


def at(verb: str, do: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> Peer:
    async def hook(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if line.startswith(verb):
            await do(reader, writer)
            return True
        return False

    return Peer(hook=hook)


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"250-more\r\n" * 1000)
        await writer.drain()


async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"x" * 1_000_000)
    await writer.drain()


async def after_the_dot(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"354 go\r\n")
    await reader.readuntil(b"\r\n.\r\n")
    writer.close()


async def refuse_in_the_middle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"354 go\r\n")
    await reader.readexactly(10)
    writer.write(b"552 5.3.4 too much\r\n")
    await writer.drain()


@pytest.mark.parametrize("verb", ["EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("crime", [silence, endless, babble])
async def test_a_hostile_peer_costs_a_bounded_time_and_defers(verb: str, crime: object) -> None:
    async with at(verb, crime) as peer, asyncio.timeout(10):  # type: ignore[arg-type]
        session = await try_connect(peer)
        if verb == "EHLO":
            assert isinstance(session, Deferred)
        else:
            assert isinstance(session, Session)
            assert all(isinstance(o, Deferred) for o in await session.deliver(letter())) and not session.is_usable


async def test_a_peer_that_never_greets_or_greets_with_5xx_defers() -> None:
    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    async with server:
        mute = Peer(port=server.sockets[0].getsockname()[1])
        assert isinstance(await try_connect(mute), Deferred)
    async with Peer(greeting="554 5.3.2 go away") as peer:
        said = await try_connect(peer)
        assert isinstance(said, Deferred) and "go away" in said.text
    assert isinstance(said := await try_connect(peer), Deferred) and "4.4.1" in said.text


async def test_a_connection_lost_after_the_dot_is_tried_again() -> None:
    async with at("DATA", after_the_dot) as peer:
        outcomes, session = await send(peer)
        assert isinstance(outcomes[0], Deferred) and "after the message" in outcomes[0].text and not session.is_stale


async def test_a_refusal_in_the_middle_of_a_large_message_is_heard() -> None:
    async with at("DATA", refuse_in_the_middle) as peer:
        large = letter(content=b"A: b\r\n\r\n" + b"x" * 800_000)
        assert (await send(peer, large))[0] == [Refused("5.3.4 too much", 552)]


async def test_a_large_message_goes_in_blocks_as_fast_as_the_peer_reads() -> None:
    async with Peer(features=("PIPELINING",)) as peer:
        content = b"A: b\r\n\r\n" + b"y" * 900_000 + b"\r\n"
        assert (await send(peer, letter(content=content)))[0] == [Delivered("2.0.0 Taken")]
        assert peer.taken[0].content == content


async def test_who_draws_a_large_message_out_is_left() -> None:
    """Each block in its time, and hours for all of them: meanwhile the message is held in memory."""

    async def sip(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if line == "DATA":
            writer.write(b"354 go\r\n")
            while await reader.read(16_384):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return False

    async with Peer(("PIPELINING",), hook=sip) as peer, asyncio.timeout(8):
        session = await connect(peer, replace(QUICK, block=5, message=0.2))
        (outcome,) = await session.deliver(letter("a@b.test", content=b"A: b\r\n\r\n" + b"y" * 30_000_000))
        assert isinstance(outcome, Deferred) and "timed out sending the message" in outcome.text


async def test_a_connection_that_was_closed_meanwhile_is_known_to_be_stale() -> None:
    async with Peer() as peer:
        session = await connect(peer)
        await session.deliver(letter())
        assert not session.is_stale
    await asyncio.sleep(0.05)
    assert not session.is_usable
    await session.deliver(letter())
    assert session.is_stale


async def test_words_that_nobody_asked_for_end_the_session() -> None:
    async with at("NOOP", silence) as peer:
        session = await connect(peer)

        async def chatty(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
            asyncio.get_running_loop().call_later(0.02, writer.write, b"250 2.0.0 and one more\r\n")
            return False

        peer.hook = chatty
        await session.deliver(letter())
        await asyncio.sleep(0.1)
        assert not session.is_usable


async def test_a_flood_of_replies_is_not_kept() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"250 2.0.0 Ok\r\n" * 1000)
            await writer.drain()

    async with at("MAIL", flood) as peer:
        session = await connect(peer)
        assert isinstance((await session.deliver(letter()))[0], Deferred)
        await asyncio.sleep(0.1)
        assert not session.is_usable and len(session._wire.heard) < 20_000


async def test_what_is_not_offered_refuses_the_mail_that_needs_it() -> None:
    async with Peer(features=("PIPELINING",)) as peer:
        session = await connect(peer)
        for what, status in ((letter("ä@b.test"), "5.6.7"), (letter(content="A: b\r\n\r\nä\r\n".encode()), "5.6.3")):
            (outcome,) = await session.deliver(what)
            assert isinstance(outcome, Refused) and outcome.text.startswith(status)
        assert await session.deliver(letter()) == [Delivered("2.0.0 Taken")]  # the session did not suffer


async def test_a_host_of_the_fabric_hears_our_proof_in_the_same_write_as_mail() -> None:
    asked: list[tuple[str, str]] = []

    def prove(nonce: str, server: str) -> tuple[str, str]:
        asked.append((nonce, server))
        return "host-1", "s1gn"

    async with Peer(features=(*FEATURES, "XHELIOGRAPH n0nce")) as peer:
        session = await connect(peer, name="host-2", prove=prove)
        await session.deliver(letter(envid="e1"))
        await session.deliver(letter(envid="e2"))
        commands = [line.split(" ")[0] for line in peer.heard]
        assert commands == ["EHLO", "XHELIOGRAPH", "MAIL", "RCPT", "DATA", "MAIL", "RCPT", "DATA"]
        assert asked == [("n0nce", "host-2")] and peer.heard[1] == "XHELIOGRAPH host-1 s1gn"
        assert [t.mail for t in peer.taken] == [f"MAIL FROM:<s@a.test> SIZE=26 ENVID=e{n}" for n in (1, 2)]


async def test_asking_takes_nothing_and_pipelines() -> None:
    async with Peer(rcpt=lambda a: "550 5.1.1 no" if a.startswith("no") else "250 Ok") as peer:
        session = await connect(peer)
        found = await session.verify(["a@b.test", "no@b.test"], 0.5)
        assert found == [Delivered("2.1.5 Ok"), Refused("5.1.1 no")] and peer.heard[-1] == "RSET"
        peer.mail = lambda line: "550 5.7.1 no callouts"  # no word on the recipient
        assert isinstance((await session.verify(["a@b.test"], 0.5))[0], Deferred)


# TLS


@pytest.fixture(scope="module")
def server_tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "peer.test")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, now - timedelta(1), now + timedelta(1))
    place: Path = tmp_path_factory.mktemp("tls") / "both.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    place.write_bytes(secret + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place)
    return context


async def test_tls_is_used_where_it_is_offered_though_nobody_vouches_for_it(server_tls: ssl.SSLContext) -> None:
    seen: list[object] = []

    async def look(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if line.startswith("MAIL"):
            seen.append(writer.get_extra_info("cipher"))
        return False

    async with Peer(features=("PIPELINING", "STARTTLS"), tls=server_tls, hook=look) as peer:
        assert (await send(peer))[0] == [Delivered("2.0.0 Taken")]
        assert seen[0] and peer.heard[:3] == ["EHLO us.test", "STARTTLS", "EHLO us.test"]


async def test_a_peer_that_fails_at_tls_gets_its_mail_in_clear() -> None:
    async def fail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        await reader.read(100)
        writer.write(b"this is not TLS at all")
        await writer.drain()
        writer.close()

    async with at("STARTTLS", fail) as peer:
        peer.features = ("PIPELINING", "STARTTLS")
        assert (await send(peer))[0] == [Delivered("2.0.0 Taken")] and peer.connections == 2


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, pytest.importorskip("uvloop").new_event_loop])
def test_a_peer_whose_name_can_stand_in_no_certificate_gets_its_mail_in_clear(
    server_tls: ssl.SSLContext, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """The name of an MX is whatever its owner writes."""

    async def story() -> None:
        for name in ("m" * 64 + ".test", "..test", ".test", "a b.test"):
            async with Peer(features=("PIPELINING", "STARTTLS"), tls=server_tls) as peer:
                assert isinstance(await connect(peer, name=name), Session), name

    asyncio.Runner(loop_factory=loop).run(story())


@pytest.mark.parametrize("said", [b"", b"220 go\r\nno TLS after all\r\n", b"\x15\x03\x01"])
async def test_who_offers_tls_and_knows_nothing_of_it_gets_the_mail_in_clear(said: bytes) -> None:
    async def spoil(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    async with at("STARTTLS", spoil) as peer:
        peer.features = ("PIPELINING", "STARTTLS")
        await connect(peer)
        assert peer.connections == 2 and peer.heard.count("STARTTLS") == 1


async def test_replies_injected_before_tls_are_not_believed(server_tls: ssl.SSLContext) -> None:
    async def inject(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n250-evil\r\n250 XHELIOGRAPH bad\r\n")

    async with at("STARTTLS", inject) as peer:
        peer.features = ("PIPELINING", "STARTTLS")
        session = await connect(peer)
        assert not session.offer.nonce and peer.connections == 2 and peer.heard.count("STARTTLS") == 1
