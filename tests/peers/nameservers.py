"""BIND, Knot and NSD: private instances on an address of their own, as primary or as secondary of a fabric's zone.

Law: everything in one temporary folder, a port above 1024, loopback, ended by its own process; no system service is
touched. The configurations are those of docs/operations.md, with these addresses.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
import pytest

from directory.keys import key_text, read_keys
from directory.sockets import bound_pair

DOMAIN = "fabric.test"
PATIENCE_SECONDS = 20.0
SECRETS = {"transfer": bytes(range(32)), "operator": bytes(range(32, 64))}
KEYS_TEXT = "".join(key_text(name, secret) for name, secret in SECRETS.items())
KEYS = read_keys(KEYS_TEXT)

Place = tuple[str, int]


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
class NameServer:
    """One instance. `hosts`: the fabric's; `primary`: where a secondary transfers from."""

    folder: Path
    place: Place
    hosts: Sequence[Place]
    primary: Place | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def zone_file(self) -> Path:
        return self.folder / f"{DOMAIN}.zone"

    def configuration(self) -> str:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def edit(self, old: str, new: str) -> None:
        """Change the zone as its operator does: by a signed update."""
        name, ttl, _, preference, host = new.split()
        self.say(
            *("nsupdate", "-k", str(self.folder / "operator.key")),
            text=f"server {self.place[0]} {self.place[1]}\nzone {DOMAIN}\nupdate delete {name} MX\n"
            f"update add {name} {ttl} MX {preference} {host}\nsend\n",
        )

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
        (self.folder / "server.conf").write_text(self.configuration())
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=self.folder)
        if self.primary is None:
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
    def configuration(self) -> str:
        told = "".join(f"{address} port {port} key transfer; " for address, port in self.hosts)
        role = (
            f"type primary; notify-delay 1; allow-update {{ key operator; }}; notify explicit; also-notify {{ {told}}};"
        )
        if self.primary:
            role = f"type secondary; primaries {{ {self.primary[0]} port {self.primary[1]} key transfer; }};"
        return (
            f'{KEYS_TEXT}options {{ directory "{self.folder}"; pid-file "{self.folder}/named.pid"; '
            f'session-keyfile "{self.folder}/session.key"; listen-on port {self.place[1]} {{ {self.place[0]}; }}; '
            f"listen-on-v6 {{ none; }}; recursion no; dnssec-validation no; notify-source {self.place[0]}; "
            f"transfer-source {self.place[0]}; }};\ncontrols {{ }};\n"
            f'zone "{DOMAIN}" {{ {role} file "{self.zone_file}"; allow-transfer {{ key transfer; }}; }};\n'
        )

    def command(self) -> list[str]:
        return [tool("named"), "-g", "-c", str(self.folder / "server.conf"), "-n", "1"]


class Knot(NameServer):
    def configuration(self) -> str:
        keys = "".join(
            f"  - id: {name}\n    algorithm: hmac-sha256\n    secret: {base64.b64encode(secret).decode()}\n"
            for name, secret in SECRETS.items()
        )
        remotes = (
            [("primary", self.primary)] if self.primary else [(f"host-{n}", p) for n, p in enumerate(self.hosts, 1)]
        )
        listed = "".join(
            f"  - id: {name}\n    address: {address}@{port}\n    via: {self.place[0]}\n    key: transfer\n"
            for name, place in remotes if place for address, port in [place]
        )  # fmt: skip
        role = f"    notify: [{', '.join(name for name, _ in remotes)}]\n    acl: [transfer, operator]\n"
        if self.primary:
            role = "    master: primary\n    acl: [notified]\n"
        return (
            f"server:\n    rundir: {self.folder}\n    listen: {self.place[0]}@{self.place[1]}\n"
            f"database:\n    storage: {self.folder}\nlog:\n  - target: stderr\n    any: info\n"
            f"key:\n{keys}remote:\n{listed}"
            "acl:\n  - id: transfer\n    key: transfer\n    action: transfer\n"
            "  - id: operator\n    key: operator\n    action: update\n"
            "  - id: notified\n    key: transfer\n    action: notify\n"
            f"zone:\n  - domain: {DOMAIN}\n    storage: {self.folder}\n    file: {self.zone_file}\n{role}"
        )

    def command(self) -> list[str]:
        return [tool("knotd"), "-c", str(self.folder / "server.conf")]

    def edit(self, old: str, new: str) -> None:
        name, ttl, _, preference, host = new.split()
        key = self.folder / "operator.knsupdate"
        key.write_text(f"hmac-sha256:operator:{base64.b64encode(SECRETS['operator']).decode()}\n")
        self.say(
            *("knsupdate", "-k", str(key)),
            text=f"server {self.place[0]} {self.place[1]}\nzone {DOMAIN}\nupdate delete {name} MX\n"
            f"update add {name} {ttl} MX {preference} {host}\nsend\n",
        )


class Nsd(NameServer):
    def configuration(self) -> str:
        keys = "".join(
            f'key:\n    name: "{name}"\n    algorithm: hmac-sha256\n    secret: "{base64.b64encode(secret).decode()}"\n'
            for name, secret in SECRETS.items()
        )
        role = "".join(
            f"    notify: {address}@{port} transfer\n    provide-xfr: {address} transfer\n"
            for address, port in self.hosts
        )
        if self.primary:
            address, port = self.primary
            role = f"    request-xfr: AXFR {address}@{port} transfer\n    allow-notify: {address} transfer\n"
        return (
            f'server:\n    ip-address: {self.place[0]}@{self.place[1]}\n    username: ""\n    chroot: ""\n'
            f'    zonesdir: "{self.folder}"\n    pidfile: "{self.folder}/nsd.pid"\n    database: ""\n'
            f'    xfrdfile: "{self.folder}/xfrd.state"\n    xfrdir: "{self.folder}"\n'
            f'    zonelistfile: "{self.folder}/zone.list"\n    server-count: 1\n    verbosity: 2\n'
            f"remote-control:\n    control-enable: yes\n    control-interface: {self.folder}/control.sock\n"
            f"{keys}zone:\n    name: {DOMAIN}\n    zonefile: {self.zone_file}\n"
            f"    outgoing-interface: {self.place[0]}\n{role}"
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
