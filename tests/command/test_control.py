"""The control socket: a running host and the command, joined in one process."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from directory.names import FabricNames
from directory.snapshot import Directory
from heliograph import exits
from heliograph.acts.operations import Site
from heliograph.control.control import LINE_OCTETS_MAX, ControlServer
from heliograph.control.control_socket import ControlClient, NotRunning
from heliograph.exits import CommandError
from heliograph.lock import HostLock, Locked
from heliograph.tables import MIGRATIONS
from mail.envelope import Outgoing
from spool.queue import Queue
from spool.runner_settings import Settings
from spool.settle import Settler
from store import Store, Transaction

DIRECTORY = Directory(FabricNames("fabric.test", 2), 7, {}, ("host-1", "host-2"), ("host-1", "host-2"))


class Running:
    """A host as the control socket sees it: alice's bucket is 1, dave's too; erin's is 0."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder / "db", MIGRATIONS)
        self.sent: list[Outgoing] = []
        queue = Queue()
        settler = Settler(queue, Settings("host-2", "host-2.fabric.test"), lambda: 0.5)
        self.site = Site("host-2", lambda: DIRECTORY, queue, self.dispatch, settler, lambda: {"up": True, "pid": 1})
        self.server = ControlServer(folder, self.store, self.site, lambda: 1.7e9)

    def dispatch(self, tx: Transaction, outgoing: Outgoing, now: float) -> None:
        if outgoing.recipients[0].address.startswith("trent"):
            raise RuntimeError("a fault of ours")
        self.sent.append(outgoing)

    async def ask(self, operation: str, **arguments: object) -> dict[str, object]:
        """Ask as the command does, from a thread: its client blocks."""
        return await asyncio.to_thread(self._ask, operation, arguments)

    def _ask(self, operation: str, arguments: dict[str, object]) -> dict[str, object]:
        client = ControlClient(self.folder)
        try:
            return client.ask(operation, **arguments)
        finally:
            client.close()


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Running]:
    folder = tmp_path / ("a-folder-with-a-long-name" * 5)  # longer than a socket's address may be
    folder.mkdir()
    running = Running(folder)
    await running.server.start()
    yield running
    await running.server.stop()
    running.store.close()


async def test_an_account_is_added_by_a_running_host(host: Running) -> None:
    assert await host.ask("account add", name="alice", hash="x") == {"account": "alice", "host": "host-2"}
    assert await host.ask("account list") == {"host": "host-2", "accounts": ["alice"], "more": False}
    [control] = host.sent
    assert (control.recipients[0].address, control.signed) == ("alice+control@b1.reflectors.fabric.test", True)


async def test_what_cannot_be_done_has_its_code(host: Running) -> None:
    await host.ask("account add", name="alice", hash="x")
    for name, code, said in (("alice", 73, "already"), ("grace", 69, "host-1"), ("Alice", 65, "no name")):
        with pytest.raises(CommandError, match=said) as refused:
            await host.ask("account add", name=name, hash="x")
        assert refused.value.code == code
    assert len(host.sent) == 1


async def test_a_step_that_fails_leaves_nothing(host: Running) -> None:
    trent = next(name for name in ("trent", "trent1", "trent2") if DIRECTORY.names.bucket(name) == 1)
    with pytest.raises(CommandError, match="a fault of ours") as failed:
        await host.ask("account add", name=trent, hash="x")
    assert failed.value.code == 70
    assert (await host.ask("account list"))["accounts"] == []


@pytest.mark.parametrize(
    "line",
    [b"nonsense", b"[]", b"{}", b'{"do": 7}', b'{"do": "account add", "with": {"nam": 1}}', b'{"do": "x" ', b"null"],
)
async def test_what_is_not_understood_is_answered(host: Running, line: bytes) -> None:
    answer = await host.server.answer(line)
    assert answer["error"]["code"] == 64


async def test_several_questions_in_one_connection_and_an_endless_line(host: Running) -> None:
    reader, writer = await asyncio.open_unix_connection(_short(host))
    for _ in range(3):
        writer.write(b'{"do": "status"}\n')
    answers = [json.loads(await reader.readline()) for _ in range(3)]
    assert [answer["ok"]["up"] for answer in answers] == [True] * 3
    writer.write(b"x" * (LINE_OCTETS_MAX * 2 + 1))
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()
    assert (await host.ask("status"))["serial"] == 7


def _short(host: Running) -> str:
    link = host.folder.parent / "s"
    link.symlink_to(host.folder)
    return str(link / "control.sock")


async def test_only_the_hosts_user_may_ask(host: Running) -> None:
    assert (host.folder / "control.sock").stat().st_mode & 0o777 == 0o600


async def test_a_dead_hosts_socket_does_not_answer_and_is_replaced(host: Running) -> None:
    await host.server.stop()
    with pytest.raises(NotRunning):
        await host.ask("status")
    server = ControlServer(host.folder, host.store, host.site)
    await server.start()  # and once more over its own, as after kill -9
    again = ControlServer(host.folder, host.store, host.site)
    await again.start()
    assert (await host.ask("status"))["up"] is True
    await again.stop()
    await server.stop()


def test_one_process_holds_a_host(tmp_path: Path) -> None:
    with HostLock(tmp_path), pytest.raises(Locked, match="in the hands of process"):
        HostLock(tmp_path).take()
    with HostLock(tmp_path):  # given back: it can be taken again
        pass


async def test_nonsense_is_answered_shortly(host: Running) -> None:
    for line in (b'{"do":' * 3000, b'"' + b"x" * 9000 + b'"', b"[]", b'{"do": "status", "with": {"x": 1}}'):
        answer = await host.server.answer(line)
        assert answer["error"]["code"] == exits.USAGE
        assert len(answer["error"]["message"]) < 300


async def test_a_host_that_ends_hangs_up_without_a_word(host: Running) -> None:
    """A command is connected, and another waits for its answer."""
    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    answered = asyncio.Event()
    host.site.acts["slow"] = answered.wait  # type: ignore[index,assignment]
    path = _short(host)
    streams = [await asyncio.open_unix_connection(path) for _ in range(2)]
    streams[0][1].write(b'{"do": "slow"}\n')
    streams[1][1].write(b'{"do": "status"}\n')
    assert await streams[1][0].readline()
    await host.server.stop()
    for reader, writer in streams:
        assert await reader.read() == b""
        writer.close()
    assert told == []
