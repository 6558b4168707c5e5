"""Finds out whether a source's owner posts from an address elsewhere, wherever the source lives.

Law: the host that owns the source knows; another asks it by RCPT, as it does for everybody's existence.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from directory.names import Reflector
from heliograph.flow import Flow
from mail.address import Address
from mail.outcome import Delivered, Outcome, Refused
from reflector.senders import posts_from, question_about
from spool.route import Here, Shelf, Via
from store import Store


class Posters:
    """`ask`: another host, by RCPT."""

    def __init__(self, flow: Flow, store: Store, ask: Callable[[Via | Shelf], Awaitable[Outcome]]) -> None:
        self._flow, self._store, self._ask = flow, store, ask

    async def has(self, name: Reflector, author: str) -> bool | None:
        """None: nobody can say now."""
        detail = question_about(author)
        asked = Reflector(name.entity, detail, name.bucket)
        route = self._flow.route_of(Address(f"{name.entity}+{detail}", self._domain()), asked)
        if isinstance(route, Here):
            return posts_from(self._store.reader, name.entity, author)
        outcome = await self._ask(route) if isinstance(route, Via) else route
        if isinstance(outcome, Delivered | Refused):
            return isinstance(outcome, Delivered)
        return None

    def _domain(self) -> str:
        return f"reflectors.{self._flow.directory().names.domain}"
