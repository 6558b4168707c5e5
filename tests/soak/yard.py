"""A network of our own: a namespace for each host, joined by a bridge in one more, where the clients are.

Law: nothing outside of these namespaces is touched, and they go with whoever made them. Root only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

NET = "10.77.0.0/24"
CLIENTS = (50, 254)  # what answers in the middle: the outside, and whoever looks on
NAMES_TRIED_MAX = 100


def is_possible() -> bool:
    """Root, and a kernel that makes namespaces."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    return subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode == 0


@dataclass(frozen=True, slots=True)
class Yard:
    """`name`: of the namespace in the middle."""

    name: str

    def inside(self, host: str | None = None) -> list[str]:
        """What stands before a command that runs at a host, or in the middle."""
        return ["ip", "netns", "exec", f"{self.name}-{host}" if host else self.name]

    def link(self, host: str, state: str) -> None:
        """`up` or `down`: a host's cable."""
        _ip("-n", self.name, "link", "set", f"to-{host}", state)


@contextmanager
def yard(hosts: Sequence[str]) -> Iterator[Yard]:
    """Build one; hosts have the first addresses of NET, in order."""
    here = Yard(_free_name())
    try:
        _middle(here)
        for number, host in enumerate(hosts, 1):
            _add_host(here, host, NET.replace(".0/24", f".{number}/24"))
        yield here
    finally:
        for name in (*(f"{here.name}-{host}" for host in hosts), here.name):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def _middle(here: Yard) -> None:
    _ip("netns", "add", here.name)
    _ip("-n", here.name, "link", "set", "lo", "up")
    _ip("-n", here.name, "link", "add", "bridge", "type", "bridge", "forward_delay", "0")  # no 15 s more
    _ip("-n", here.name, "link", "set", "bridge", "up")
    for number in CLIENTS:
        _ip("-n", here.name, "address", "add", NET.replace(".0/24", f".{number}/24"), "dev", "bridge")


def _add_host(here: Yard, host: str, address: str) -> None:
    name = f"{here.name}-{host}"
    _ip("netns", "add", name)
    _ip("-n", here.name, "link", "add", f"to-{host}", "type", "veth", "peer", "name", "cable", "netns", name)
    _ip("-n", here.name, "link", "set", f"to-{host}", "master", "bridge", "up")
    _ip("-n", name, "address", "add", address, "dev", "cable")
    for link in ("lo", "cable"):
        _ip("-n", name, "link", "set", link, "up")


def _free_name() -> str:
    taken = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout.split()
    return next(name for name in (f"heliograph{at}" for at in range(NAMES_TRIED_MAX)) if name not in taken)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
