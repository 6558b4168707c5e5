"""One host as a process: its event loop, its signals, and the ends of its life.

Law: SIGTERM is a graceful end; so is the end of the process that started it. An address that is taken, a port that is
not ours to bind: said with what to do, and a sysexits code.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import sqlite3
import ssl
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from heliograph import exits
from heliograph.exits import CommandError
from heliograph.lock import Locked
from heliograph.process import allow_many_files, calm_garbage_collection

if TYPE_CHECKING:
    from heliograph.configuration.settings import Config
    from heliograph.host import Host

LINGER_SECONDS_MAX = 15.0  # after its parent's death; longer than a graceful end takes

REMEDIES = {
    errno.EADDRINUSE: "another program listens there (see `ss -ltnp`): stop it, or change [ports] in heliograph.toml",
    errno.EADDRNOTAVAIL: "this machine has no such address: correct [[host]] in heliograph.toml and the zone",
    errno.EACCES: "a port below 1024 needs CAP_NET_BIND_SERVICE: grant it, or choose a higher one in [ports]",
}
CODES = {errno.EACCES: exits.NOPERM}


def run_host(config: Config, name: str, ready_fd: int | None, life_fd: int | None) -> int:
    """Run a host until a signal; return the exit code."""
    config.host(name)
    folder = config.host_folder(name)
    if not folder.is_dir():
        raise CommandError(exits.UNAVAILABLE, f"{name} is not on this machine: there is no {folder}")
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s {name} %(levelname)s %(name)s: %(message)s")
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd tells of every connection, unescaped
    if life_fd is not None:
        threading.Thread(target=_end_with_parent, args=(life_fd,), daemon=True, name="life").start()
    allow_many_files()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_run(config, name, ready_fd))
    return exits.OK


async def _run(config: Config, name: str, ready_fd: int | None) -> None:
    from directory.service import NoZone
    from heliograph.host import Host

    host = Host(config, name)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    start = loop.create_task(host.start())

    def end() -> None:
        stop.set()
        start.cancel()  # it may wait for a zone, for as long as there is none

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    try:
        await start
    except asyncio.CancelledError:
        return
    except Locked as held:
        raise CommandError(exits.TEMPFAIL, f"{held}: is the fabric up already? See `heliograph status`") from None
    except NoZone as error:
        raise CommandError(exits.CONFIG, str(error)) from None
    except sqlite3.DatabaseError as error:
        from heliograph.database import told

        raise told(error, config.host_folder(name)) from error
    except OSError as error:
        raise _told(error) from error
    try:
        loop.add_signal_handler(signal.SIGHUP, _reload, host)
        calm_garbage_collection()
        _say_ready(ready_fd)
        await stop.wait()
    finally:
        await host.stop()


def _reload(host: Host) -> None:
    """Read the certificates again; a bad one leaves the last good one in use."""
    try:
        host.reload_certificates()
    except OSError as error:  # ssl.SSLError is one
        logging.getLogger("heliograph").error("the certificates cannot be read, the last go on: %s", error)


def _say_ready(ready_fd: int | None) -> None:
    if ready_fd is None:
        print("ready", flush=True)
        return
    os.write(ready_fd, b"ready\n")
    os.close(ready_fd)


def _told(error: OSError) -> Exception:
    """Turn what binding said, or a certificate, into what to do; anything else is raised as it is."""
    if isinstance(error, ssl.SSLError):
        text = f"a certificate and its key in [tls] of heliograph.toml cannot be used ({error.reason or error})"
        return CommandError(exits.CONFIG, f"{text}: `heliograph doctor` says which")
    if isinstance(error, FileNotFoundError) and error.filename:
        return CommandError(exits.CONFIG, f"{error.filename}: is missing: `heliograph doctor` says what to do")
    remedy = REMEDIES.get(error.errno or 0)
    if remedy is None:
        return error
    return CommandError(CODES.get(error.errno or 0, exits.UNAVAILABLE), f"{error.strerror}: {remedy}")


def _end_with_parent(life_fd: int) -> None:
    """Wait in a thread for our parent's end of the pipe to close: this works even while the loop is busy."""
    while os.read(life_fd, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LINGER_SECONDS_MAX)
    os._exit(exits.SOFTWARE)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed: two to three times the messages a second."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
