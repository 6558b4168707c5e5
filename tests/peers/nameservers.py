"""BIND, Knot and NSD: private instances on an address of their own, as primary or as secondary of a fabric's zone.

Law: everything in one temporary folder, a port above 1024, loopback, ended by its own process; no system service is
touched. Of the zone, they are configured as docs/operations.md says, word for word but for addresses and paths.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
import pytest

from directory.keys import key_text, read_keys
from directory.sockets import bound_pair

DOMAIN = "fabric.test"
OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
PATIENCE_SECONDS = 20.0
SECRETS = {"transfer": bytes(range(32)), "operator": bytes(range(32, 64))}
KEYS_TEXT = "".join(key_text(name, secret) for name, secret in SECRETS.items())
KEYS = read_keys(KEYS_TEXT)

Place = tuple[str, int]


def shown(name: str) -> str:
    return base64.b64encode(SECRETS[name]).decode()


def free_place() -> Place:
    """BIND listens only at addresses that an interface has: 127.0.0.1, with a port that is free."""
    udp, stream = bound_pair("127.0.0.1", 0)
    place: Place = udp.getsockname()
    udp.close()
    stream.close()
    return place


def tool(name: str) -> str:
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed: scripts/peers")
    return found


@dataclass
class NameServer(ABC):
    """One instance, a primary or a secondary of the fabric with these three hosts."""

    title: ClassVar[str]

    folder: Path
    place: Place
    hosts: Sequence[Place]
    is_secondary: bool = False
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def zone_file(self) -> Path:
        return self.folder / f"{DOMAIN}.zone"

    @abstractmethod
    def configuration(self) -> str:
        """The text of its configuration."""

    @abstractmethod
    def command(self) -> list[str]:
        """How it is run in the foreground."""

    def documented(self) -> str:
        """What docs/operations.md tells an operator to write, with the addresses of here."""
        title = f"{self.title}, {'a secondary' if self.is_secondary else 'the primary'}\n"
        blocks = re.findall(r"```\n(?://|#) (.*?)```", OPERATIONS.read_text(), re.DOTALL)
        (block,) = [block.removeprefix(title) for block in blocks if block.startswith(title)]
        for number, (address, port) in enumerate(self.hosts, 1):
            block = re.sub(rf"192\.0\.2\.{number}(@| port )53\b", rf"{address}\g<1>{port}", block)
            block = block.replace(f"192.0.2.{number} ", f"{address} ")
        for name in SECRETS:
            block = block.replace(f"SECRET-OF-{name.upper()}", shown(name))
        assert "192.0.2." not in block
        return re.sub(r"/(?:var|etc)/[a-z/]+/", f"{self.folder}/", block).replace("example.org", DOMAIN)

    def update(self, line: str) -> str:
        name, ttl, _, preference, host = line.split()
        return (
            f"server {self.place[0]} {self.place[1]}\nzone {DOMAIN}\nupdate delete {name} MX\n"
            f"update add {name} {ttl} MX {preference} {host}\nsend\n"
        )

    def edit(self, old: str, new: str) -> None:
        """Change the zone as its operator does: by a signed update."""
        self.say("nsupdate", "-k", str(self.folder / "operator.key"), text=self.update(new))

    def say(self, command: str, *arguments: str, text: str = "") -> str:
        done = subprocess.run(
            [tool(command), *arguments], input=text, text=True, capture_output=True, timeout=30, check=False
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def serial(self) -> int:
        """What it answers; 0 while it does not."""
        query = dns.message.make_query(DOMAIN, "SOA")
        with contextlib.suppress(dns.exception.DNSException, OSError):
            reply = dns.query.udp(query, self.place[0], port=self.place[1], timeout=0.5)
            if reply.answer:
                return int(reply.answer[0][0].serial)
        return 0

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        for name, secret in SECRETS.items():
            (self.folder / f"{name}.key").write_text(key_text(name, secret))
        (self.folder / "tsig.keys").write_text(KEYS_TEXT)
        (self.folder / "server.conf").write_text(self.configuration())
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=self.folder)
        if not self.is_secondary:
            until(lambda: self.serial() > 0, self.log)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(20)

    def log(self) -> str:
        return (self.folder / "log").read_text()


def until(true: object, told: object) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not true():  # type: ignore[operator]
        assert time.monotonic() < give_up, told()  # type: ignore[operator]
        time.sleep(0.05)


class Bind(NameServer):
    title = "BIND"

    def configuration(self) -> str:
        return (
            f'options {{ directory "{self.folder}"; pid-file "{self.folder}/named.pid"; '
            f'session-keyfile "{self.folder}/session.key"; listen-on port {self.place[1]} {{ {self.place[0]}; }}; '
            f"listen-on-v6 {{ none; }}; recursion no; dnssec-validation no; }};\ncontrols {{ }};\n{self.documented()}"
        )

    def command(self) -> list[str]:
        return [tool("named"), "-g", "-c", str(self.folder / "server.conf"), "-n", "1"]


class Knot(NameServer):
    title = "Knot"

    def configuration(self) -> str:
        return (
            f"server:\n    rundir: {self.folder}\n    listen: {self.place[0]}@{self.place[1]}\n"
            f"database:\n    storage: {self.folder}\nlog:\n  - target: stderr\n    any: info\n{self.documented()}"
        )

    def command(self) -> list[str]:
        return [tool("knotd"), "-c", str(self.folder / "server.conf")]

    def edit(self, old: str, new: str) -> None:
        self.say("knsupdate", "-y", f"hmac-sha256:operator:{shown('operator')}", text=self.update(new))


class Nsd(NameServer):
    title = "NSD"

    def configuration(self) -> str:
        return (
            f'server:\n    ip-address: {self.place[0]}@{self.place[1]}\n    username: ""\n    chroot: ""\n'
            f'    zonesdir: "{self.folder}"\n    pidfile: "{self.folder}/nsd.pid"\n    database: ""\n'
            f'    xfrdfile: "{self.folder}/xfrd.state"\n    xfrdir: "{self.folder}"\n'
            f'    zonelistfile: "{self.folder}/zone.list"\n    server-count: 1\n    verbosity: 2\n'
            f"remote-control:\n    control-enable: yes\n    control-interface: {self.folder}/control.sock\n"
            f"{self.documented()}"
        )

    def command(self) -> list[str]:
        return [tool("nsd"), "-d", "-c", str(self.folder / "server.conf")]

    def edit(self, old: str, new: str) -> None:
        """NSD takes no updates: edit the file, raise the serial, reload."""
        text, serial = self.zone_file.read_text(), self.serial()
        assert old in text
        text = text.replace(old, new).replace(f"        {serial} ", f"        {serial + 1} ", 1)
        self.zone_file.write_text(text)
        self.say("nsd-control", "-c", str(self.folder / "server.conf"), "reload")


KINDS = {"bind": Bind, "knot": Knot, "nsd": Nsd}


@contextlib.contextmanager
def running(server: NameServer) -> Iterator[NameServer]:
    try:
        server.start()
        yield server
    finally:
        server.stop()
