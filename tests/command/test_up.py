"""`up` and `host` as processes: ready, restarted, ended."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from heliograph.demo.stage import PASSWORD, Stage, command_line, stage
from heliograph.founding.certificates import Pair, make_ca, make_server
from heliograph.up import Keeper


@pytest.fixture(scope="module")
def pair() -> Iterator[Stage]:
    """Two hosts, up."""
    with stage(hosts=2, options=("--buckets", "64")) as here:
        here.start()
        yield here


def until(wanted: Callable[[], object], seconds: float = 20.0) -> bool:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if wanted():
            return True
        time.sleep(0.05)
    return False


def processes(here: Stage) -> list[int]:
    return [int((here.config.host_folder(name) / "lock").read_text()) for name in ("host-1", "host-2")]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_command_works_with_the_fabric_up(pair: Stage) -> None:
    pair.add_people("alice", "bob")  # alice at host-1, bob at host-2
    assert [row["host"] for row in pair.ask("account", "list")["accounts"]] == ["host-1", "host-2"]
    assert pair.command("account", "add", "bob", "--password-file", "-", typed="x").returncode == 73
    status = pair.ask("status")["hosts"]
    assert [(host["up"], host["pid"]) for host in status] == [(True, pid) for pid in processes(pair)]
    pair.ask("account", "remove", "bob", "--yes")
    assert [row["account"] for row in pair.ask("account", "list")["accounts"]] == ["alice"]


def test_doctor_finds_a_running_fabric_well(pair: Stage) -> None:
    report = pair.ask("doctor")
    faults = [finding for finding in report["findings"] if finding["grade"] == "fault"]
    assert faults == []
    assert {"ports", "dns", "zone", "certificates", "permissions"} <= {
        finding["check"] for finding in report["findings"] if finding["grade"] == "good"
    }


def test_a_host_that_is_killed_is_started_again(pair: Stage) -> None:
    other = processes(pair)[0]
    killed = pair.kill_host("host-2")
    assert until(lambda: pair.command("status", "--host", "host-2").returncode == 0)
    assert until(lambda: processes(pair)[1] != killed and is_alive(processes(pair)[1]))
    assert processes(pair)[0] == other
    assert "host-2 was ended by signal 9: it is started again" in pair.log()


def test_a_second_up_is_told_who_has_the_hosts(pair: Stage) -> None:
    second = pair.command("up")
    assert second.returncode == 75, second.stderr
    assert "in the hands of process" in second.stderr
    assert "ready" not in second.stdout
    assert all(map(is_alive, processes(pair)))


def test_a_new_certificate_is_taken_at_sighup(pair: Stage) -> None:
    paths = pair.config.tls.of("host-1")
    ca = make_ca("other.test", time.time())
    before = served(pair)
    renewed = make_server(ca, host="host-1", domain="fabric.test", address=pair.address(1), now=time.time())
    paths.certificate.write_bytes(b"nonsense")
    assert pair.up_process is not None
    pair.up_process.send_signal(signal.SIGHUP)
    assert until(lambda: "the last go on" in pair.log())
    assert served(pair) == before
    write(paths.certificate, paths.key, renewed)
    pair.up_process.send_signal(signal.SIGHUP)
    assert until(lambda: served(pair) == ssl.PEM_cert_to_DER_cert(renewed.certificate_pem().decode()))


def write(certificate: Path, key: Path, made: Pair) -> None:
    key.write_bytes(made.key_pem())
    certificate.write_bytes(made.certificate_pem())


def served(here: Stage) -> bytes | None:
    """The certificate that a mail client is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((here.address(1), here.config.ports.imaps), 5) as raw,
        context.wrap_socket(raw) as tls,
    ):
        return tls.getpeercert(binary_form=True)


def test_sigterm_ends_everything_and_nothing_outlives_a_killed_up() -> None:
    with stage(hosts=2, options=("--buckets", "64")) as here:
        here.start()
        pids = processes(here)
        assert here.stop() == 0
        assert not any(map(is_alive, pids))
        here.start()
        pids = processes(here)
        assert here.up_process is not None
        here.up_process.kill()
        assert until(lambda: not any(map(is_alive, pids)))


def test_a_taken_port_is_named_with_what_to_do() -> None:
    with stage(hosts=2, options=("--buckets", "64")) as here, socket.socket() as squatter:
        squatter.bind((here.address(2), here.config.ports.smtp))
        squatter.listen()
        done = here.command("up")
        assert done.returncode == 69, done.stderr
        assert "ss -ltnp" in done.stderr
        assert str(here.config.ports.smtp) in done.stderr
        assert done.stdout == ""
        assert not any(map(is_alive, processes(here)))


def test_a_bad_configuration_ends_up_with_its_code() -> None:
    with stage(hosts=1, options=("--buckets", "64")) as here:
        (here.config.host_folder("host-1") / "host.key").write_text("short")
        done = here.command("up")
        assert (done.returncode, "32 octets" in done.stderr) == (78, True), done.stderr


def test_a_missing_certificate_is_named() -> None:
    with stage(options=("--buckets", "64")) as here:
        certificate = here.config.tls.of("host-1").certificate
        certificate.unlink()
        ended = here.command("up")
        assert str(certificate) in ended.stderr
        assert "killed" not in ended.stderr  # the others wait for the zone, and end when they are told


def test_host_in_the_foreground() -> None:
    with stage(hosts=1, options=("--buckets", "64")) as here:
        process = subprocess.Popen(
            command_line(here.root, "host", "host-1"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        here.add_people("alice")
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(20) == 0
        process.stdout.close()
        assert here.command("account", "passwd", "alice", "--password-file", "-", typed=PASSWORD).returncode == 0


def test_help_answers_at_once() -> None:
    """Nothing heavy is imported before a command runs."""
    program = (
        "import sys; from click.testing import CliRunner; from heliograph.command import main\n"
        "done = CliRunner().invoke(main, ['--help']); assert done.exit_code == 0, done.output\n"
        "heavy = {'asyncio', 'cryptography', 'dns', 'sqlite3', 'store', 'heliograph.host'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_tour_that_is_killed_leaves_nothing_running() -> None:
    """kill -9 of the process that set a stage ends its fabric."""
    program = (
        "import sys, time\nfrom heliograph.demo.stage import stage\n"
        "with stage(hosts=1, options=('--buckets', '64')) as here:\n"
        "    here.start(); print(here.root, here.up_process.pid, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    root, pid = process.stdout.readline().split()
    process.kill()
    process.wait()
    process.stdout.close()
    assert until(lambda: not is_alive(int(pid)))
    shutil.rmtree(Path(root).parent)


async def test_a_host_that_is_being_started_is_ended_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SIGTERM while a host's process is being made: nobody waits for a host that nobody ended."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    real = asyncio.create_subprocess_exec

    async def slow(*_: str, **options: Any) -> asyncio.subprocess.Process:
        begun.set()
        await go_on.wait()
        return await real("sleep", "60", **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", slow)
    keeper = Keeper(tmp_path, "host-1")
    keeping = asyncio.create_task(keeper.keep())
    await begun.wait()
    stopping = asyncio.create_task(keeper.stop())
    await asyncio.sleep(0)
    go_on.set()
    async with asyncio.timeout(20):
        await stopping
        assert await keeping == 0


async def test_what_lies_in_the_folder_that_it_was_typed_in_is_no_part_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As root in /tmp, that would be anybody's program."""
    (tmp_path / "heliograph.py").write_text("import sys; sys.exit(3)")
    monkeypatch.chdir(tmp_path)
    assert await Keeper(tmp_path / "no-fabric", "host-1").keep() == 78


def test_status_tells_of_a_host_that_does_not_answer(pair: Stage) -> None:
    stuck = processes(pair)[1]
    os.kill(stuck, signal.SIGSTOP)
    try:
        done = pair.command("status", "--json")
    finally:
        os.kill(stuck, signal.SIGCONT)
    first, second = json.loads(done.stdout)["hosts"]
    assert (done.returncode, first["up"], second["up"]) == (69, True, False)
    assert "did not answer" in second["trouble"]
