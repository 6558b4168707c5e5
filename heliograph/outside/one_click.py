"""What a click on a post's way out does: it becomes a letter to the list that serves that subscription.

Law: 200 is said when the letter is on disk here; from then on it is mail, tried again until it arrives. Who holds no
token of ours makes no letter: where the list is another host's, that host is asked first.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate

from directory.names import FabricNames, Name
from directory.snapshot import Directory
from heliograph.flow import Flow
from mail.address import parse_address
from mail.envelope import Outgoing, Recipient
from mail.headers import header_line
from mail.outcome import Outcome, Refused
from reflector.abroad import is_way_out, leave_address
from spool.route import Here, Via
from store import Reader, Store, StoreFull


class OneClick:
    """`knows`: whether a room here has such a name; `ask`: the same of another host (`spool.callout`)."""

    def __init__(
        self,
        flow: Flow,
        store: Store,
        knows: Callable[[Reader, Name], bool],
        ask: Callable[[Via], Awaitable[Outcome]],
        now: Callable[[], Directory],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._flow, self._store, self._knows, self._ask = flow, store, knows, ask
        self._now, self._clock = now, clock

    def could_be(self, source: str, bucket: str, token: str) -> bool:
        return is_way_out(self._now().names, source, bucket, token)

    async def leave(self, source: str, bucket: str, token: str) -> int:
        """Carry it out; return an HTTP status."""
        to = leave_address(self._now().names, source, bucket, token)
        if not await self._is_known(to):
            return 404
        letter = Outgoing("", (Recipient(to),), _letter(self._now().names, to, self._clock()))
        try:
            await self._store.write(lambda tx: self._flow.dispatch(tx, letter, self._clock()))
        except StoreFull:
            return 503
        return 200

    async def _is_known(self, to: str) -> bool:
        """A host that cannot be asked now may know it."""
        address = parse_address(to)
        name = self._flow.name_of(address)
        route = self._flow.route_of(address, name)
        if isinstance(route, Here):
            return self._knows(self._store.reader, name)
        if isinstance(route, Via):
            outcome = await self._ask(route)
            return not isinstance(outcome, Refused)
        return not isinstance(route, Refused)


def _letter(names: FabricNames, to: str, now: float) -> bytes:
    fields = [
        ("From", f"postmaster@{names.domain}"),
        ("To", to),
        ("Subject", "One-click unsubscribe"),
        ("Date", formatdate(now)),
        ("Message-ID", f"<{to.partition('@')[0].partition('.')[2]}.{now:.6f}@{names.domain}>"),
        ("Auto-Submitted", "auto-generated"),
    ]
    return b"".join(header_line(name, value) for name, value in fields) + b"\r\n"
