"""The command in a process of its own, beside hosts that run in this one."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path


async def run(root: Path, *arguments: str) -> tuple[int, str]:
    """Return its code, and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "heliograph", "-C", str(root), *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()
