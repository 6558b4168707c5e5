"""Follows a check through the DNS.

Law: a message waits for its verdict no longer than the RFC wants us to have patience; then nobody can tell.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from heliograph.judging.results import Path
from heliograph.judging.spf.evaluation import Answer, Client, Steps, a_label, check, is_name

CHECK_SECONDS_MAX = 20.0  # RFC 7208 4.6.4: at least that


@dataclass(frozen=True, slots=True)
class Came:
    """Who brought a message: the client's address, and what it said of itself; `sender`: of the path, "" for the null
    one."""

    client: str
    helo: str
    sender: str


Ask = Callable[[str, str], Awaitable[Answer]]


async def path_of(came: Came, ask: Ask) -> Path | None:
    """Judge the way a message came; None for an address that is none. `ask`: a name, and what kind of records."""
    try:
        client = ipaddress.ip_address(came.client.partition("%")[0])
    except ValueError:
        return None
    identity, sender = ("mailfrom", came.sender) if came.sender else ("helo", f"postmaster@{came.helo}")  # 2.4
    result = await _result(client, sender, came.helo, ask)
    domain = a_label(sender.rpartition("@")[2])
    return Path(result, identity, domain if is_name(domain) else "")


async def _result(client: Client, sender: str, helo: str, ask: Ask) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS_MAX):
            return await _follow(check(client, sender, helo), ask)
    except TimeoutError:
        return "temperror"


async def _follow(steps: Steps[str], ask: Ask) -> str:
    try:
        question = next(steps)
        while True:
            question = steps.send(await ask(question.name, question.kind))
    except StopIteration as end:
        return str(end.value)
