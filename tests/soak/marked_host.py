"""A host's process that ends itself, by SIGKILL, at a named point of a hand-over: what a test starts in its place.

HELIOGRAPH_END_AT: the point (before-seal, after-seal, rows, before-grant, before-take, after-take, before-bury),
of a promotion (copied, laid-out, decided, adopting, adopted, inherited) or of a return (returning, merged, returned).
"""

from __future__ import annotations

import os
import signal
from functools import partial

import heliograph.host
from heliograph.command import main


async def end_there(point: str) -> None:
    if point == os.environ.get("HELIOGRAPH_END_AT"):
        os.kill(os.getpid(), signal.SIGKILL)


heliograph.host.Host = partial(heliograph.host.Host, moving_at=end_there)  # type: ignore[assignment, misc]

if __name__ == "__main__":
    main()
