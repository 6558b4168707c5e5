"""What a host asks of the process that it runs in: enough open files, and garbage collected without long stops.

Law: what cannot be had is said, and the host runs all the same.
"""

from __future__ import annotations

import gc
import logging
import resource

FILES_WANTED = 65_536  # 20,000 IMAP clients, SMTP, streams: no door closes before its own limit

# Objects made until the youngest are looked at, and how often then the older. Python's own 700 looks at thousands of
# idle sessions again and again, for they grow by a few objects each when one post wakes them all.
YOUNG_OBJECTS, MIDDLE_ROUNDS, OLD_ROUNDS = 50_000, 20, 20

log = logging.getLogger("heliograph")


def allow_many_files() -> None:
    """Raise our own limit as far as we may (systemd and login shells give 1,024 and allow far more)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < FILES_WANTED:
        log.warning("%d open files are allowed, and as many connections: set LimitNOFILE=%d", most, FILES_WANTED)


def calm_garbage_collection() -> None:
    """Leave what is there now, modules and rooms, out of every later collection, and collect seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, MIDDLE_ROUNDS, OLD_ROUNDS)
