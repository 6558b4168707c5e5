"""The machine under a fabric: who may read its secrets, the room on its disk, its clock.

Law: it looks at files' owners and modes, never into a secret.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from heliograph.checkup.finding import Finding, fault, good, warning
from heliograph.configuration.settings import Config

FREE_OCTETS_LOW = 2 << 30
FREE_OCTETS_LEAST = 256 << 20  # a burst of large messages and the WAL of their transaction
FREE_SHARE_LOW = 0.05
FUTURE_SECONDS_MAX = 300.0
STA_UNSYNC = 0x40  # adjtimex(2): the kernel's clock follows nobody


def permissions(config: Config) -> Iterator[Finding]:
    """Secrets are for the hosts' user only."""
    found = False
    for path in _secrets(config):
        state = path.stat()
        if state.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            found = True
            yield fault("permissions", f"{path}: others may read it", f"chmod go= {path}")
        if state.st_uid != os.geteuid():
            found = True
            yield warning("permissions", f"{path}: belongs to user {state.st_uid}", "run this as the hosts' user")
    if not found:
        yield good("permissions", "nobody else can read keys and mail")


def disk(config: Config) -> Iterator[Finding]:
    """A full disk stops mail (451) before anything is lost; better to know before."""
    space = shutil.disk_usage(config.root)
    text = f"{space.free / (1 << 30):.1f} GiB free of {space.total / (1 << 30):.1f} at {config.root}"
    if space.free < FREE_OCTETS_LEAST:
        yield fault("disk", text, "make room: mail is answered 451 when the disk is full")
    elif space.free < FREE_OCTETS_LOW or space.free < FREE_SHARE_LOW * space.total:
        yield warning("disk", text, "make room soon")
    else:
        yield good("disk", text)
    left = os.statvfs(config.root)
    if left.f_files and left.f_favail < 1000:
        yield fault("disk", f"{left.f_favail} files can still be made", "make room: the disk is out of inodes")


def clock(config: Config, now: float) -> Iterator[Finding]:
    """Signatures, tokens and certificates compare times: hosts should agree within a minute."""
    newest = max((path.stat().st_mtime for path in _files(config)), default=0.0)
    if newest > now + FUTURE_SECONDS_MAX:
        yield fault("clock", f"files here are {newest - now:.0f} s in the future", "set the clock: chronyd, ntpd")
    elif _follows_nobody():
        yield warning("clock", "the kernel's clock follows no time server", "run chronyd or systemd-timesyncd")
    else:
        yield good("clock", "the clock agrees with what is on disk")


def _secrets(config: Config) -> Iterator[Path]:
    yield config.root
    yield from (config.root / "tls").glob("*.key")
    for host in config.hosts:
        folder = config.host_folder(host.name)
        if folder.is_dir():
            yield folder
            yield from (path for path in folder.iterdir() if path.is_file())


def _files(config: Config) -> Iterator[Path]:
    yield config.root / "heliograph.toml"
    for host in config.hosts:
        folder = config.host_folder(host.name)
        yield from (path for path in folder.glob("heliograph.db*"))


def _follows_nobody() -> bool:
    """Ask the kernel (adjtimex with no modes set only reads); False where it cannot be asked."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        buffer = (ctypes.c_long * 64)()  # struct timex: modes, offset, freq, maxerror, esterror, status ...
        if libc.adjtimex(ctypes.byref(buffer)) < 0:
            return False
    except (OSError, AttributeError):
        return False
    return bool(buffer[5] & STA_UNSYNC) if ctypes.sizeof(ctypes.c_long) == 8 else False
