"""A throw-away fabric in a temporary folder, on loopback addresses that nobody else uses.

Law: whoever opens a stage closes it: the processes end, the folder goes. Any number of stages run side by side, and
beside a fabric that is at work.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from heliograph.configuration.config import load
from heliograph.configuration.settings import Config, Ports

READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 40.0
NETS_TRIED_MAX = 200
HOSTS_CHECKED = 3  # whoever has taken one of their addresses has taken the net

PASSWORD = "correct horse"


class StageError(Exception):
    """The stage could not be set; the message holds what the command said."""


class Stage:
    """A fabric's folder and its running processes. `mail_in`, `imap_at`: where another server stands in front, or holds
    the mailboxes, and the world and the people go there."""

    def __init__(self, root: Path, net: str) -> None:
        self.root, self.net = root, net
        self.mail_in: tuple[str, int] | None = None
        self.imap_at: tuple[str, int] | None = None
        self.up_process: subprocess.Popen[str] | None = None
        self._hold = -1

    @property
    def config(self) -> Config:
        return load(self.root)

    def address(self, number: int) -> str:
        """Return an address of this stage's network: the hosts have 1, 2, 3; the outside takes others."""
        return self.net.replace(".0/24", f".{number}")

    def command(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Run the command on this fabric."""
        return subprocess.run(
            command_line(self.root, *arguments), input=typed, capture_output=True, text=True, timeout=120
        )

    def ask(self, *arguments: str, typed: str = "") -> dict[str, Any]:
        """Run a command that must succeed and return its JSON answer."""
        done = self.command(*arguments, "--json", typed=typed)
        if done.returncode:
            raise StageError(f"heliograph {' '.join(arguments)}: code {done.returncode}\n{done.stderr}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def add_people(self, *names: str) -> None:
        """Make accounts; each has the password PASSWORD."""
        for name in names:
            self.ask("account", "add", name, "--password-file", "-", typed=PASSWORD)

    def start(self) -> float:
        """Start all hosts; return the seconds until `ready`."""
        began = time.monotonic()
        life, self._hold = os.pipe()  # its end, when we end however we end, ends the fabric
        with (self.root / "log").open("a") as log:
            self.up_process = subprocess.Popen(
                command_line(self.root, "up", "--life-fd", str(life)),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
                pass_fds=(life,),
            )
        os.close(life)
        assert self.up_process.stdout is not None
        timer = _kill_later(self.up_process, READY_SECONDS_MAX)
        line = self.up_process.stdout.readline()
        timer.cancel()
        if line != "ready\n":
            self.stop()
            raise StageError(f"the fabric did not come up: {line!r}\n{self.log()[-4000:]}")
        return time.monotonic() - began

    def stop(self) -> int:
        """End all hosts; return the exit code of `up`."""
        if self.up_process is None:
            return 0
        process, self.up_process = self.up_process, None
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()
        os.close(self._hold)
        return process.returncode

    def kill_host(self, name: str) -> int:
        """kill -9 one host's process; return its number."""
        pid = int((self.config.host_folder(name) / "lock").read_text())
        os.kill(pid, signal.SIGKILL)
        return pid

    def log(self) -> str:
        path = self.root / "log"
        return path.read_text(errors="replace") if path.exists() else ""


@contextlib.contextmanager
def stage(
    *, hosts: int = 3, options: Sequence[str] = (), settings: Callable[[str, str], str] = lambda text, net: text
) -> Iterator[Stage]:
    """Set a stage. `options` are passed to init; `settings` changes the configuration's text, given it and the net."""
    folder = Path(tempfile.mkdtemp(prefix="heliograph-stage-"))
    root = folder / "fabric"
    try:
        with free_net() as net:
            done = subprocess.run(
                command_line(root, "init", str(root), "--hosts", str(hosts), "--net", net, *options),
                capture_output=True,
                text=True,
                timeout=60,
            )
            if done.returncode:
                raise StageError(f"init: {done.stderr}")
            configured = root / "heliograph.toml"
            configured.write_text(settings(configured.read_text(), net))
            here = Stage(root, net)
            try:
                yield here
            finally:
                here.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def free_net() -> Iterator[str]:
    """Find a 127.x.y.0/24 that nobody uses, and keep other stages off it: a bound port at .254 is the claim."""
    ports = [getattr(Ports(), name) for name in Ports.__dataclass_fields__]
    for _ in range(NETS_TRIED_MAX):
        prefix = f"127.{random.randint(16, 250)}.{random.randint(1, 250)}"
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as claim:
            if _is_free(prefix, ports, claim):
                yield f"{prefix}.0/24"
                return
    raise StageError("no free 127.x.y.0/24 was found")


def command_line(root: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "heliograph", "-C", str(root), *arguments]


def _is_free(prefix: str, ports: Sequence[int], claim: socket.socket) -> bool:
    try:
        claim.bind((f"{prefix}.254", 2999))
    except OSError:
        return False
    return not any(_is_taken(f"{prefix}.{n}", port) for n in range(1, HOSTS_CHECKED + 1) for port in ports)


def _is_taken(address: str, port: int) -> bool:
    """A server that listens at 0.0.0.0 takes the port at every address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return True
    return False


def _kill_later(process: subprocess.Popen[str], seconds: float) -> threading.Timer:
    timer = threading.Timer(seconds, process.kill)
    timer.daemon = True
    timer.start()
    return timer
