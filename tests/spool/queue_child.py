"""A host's outbound half in a process of its own, to be killed: takes mail, says what is durable, delivers.

Law: a line is printed for a message only after its commit.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from tests.spool.queue_house import MESSAGE, SETTINGS, House


async def main(folder: Path, port: int, label: str, messages: int) -> None:
    async with House(folder, replace(SETTINGS, fabric_recipients_max=7, here_rows=5)) as house:
        house.fabric.ports = {"host-2": port}
        for n in range(messages):
            name = f"{label}.{n}"
            recipients = [f"{name}.{k}@{where}" for where in ("host-2", "here") for k in range(10)]
            await house.put(*recipients, content=MESSAGE + name.encode() + b"\r\n")
            print(name, flush=True)
        await house.empty(30)
    print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
