"""Speak with hubs: ask for a subscription, and answer when one asks back or has news.

Law: a callback's address is a secret that only its hub knows; who asks for another learns that there is none.
"""

from __future__ import annotations

from collections.abc import Callable

from ingest import feeds, push
from ingest.push import Push
from ingest.tools import Tools
from store import Store

PATH = "/websub/{token}"


async def subscribe(tools: Tools, wanted: Push) -> None:
    """Ask a hub for what it has to tell of a feed; whether it was heard is seen when it asks back."""
    now, feed = tools.clock(), feeds.by_id(tools.store.reader, wanted.feed)
    await tools.store.write(lambda tx: push.asked(tx, wanted, now))  # first: a hub may ask back before it answers
    if feed is None or not tools.room.polls(feed.bucket):
        return
    form = {
        "hub.mode": "subscribe",
        "hub.topic": wanted.topic,
        "hub.callback": tools.room.settings.push_url.rstrip("/") + PATH.format(token=wanted.token),
        "hub.secret": wanted.secret,
        "hub.lease_seconds": str(int(push.LEASE_SECONDS)),
    }
    await tools.fetcher.post(wanted.hub, form)


class HubDesk:
    """What hubs say to our callbacks. `wake`: something is due now."""

    def __init__(self, store: Store, wake: Callable[[], object], clock: Callable[[], float]) -> None:
        self._store, self._wake, self._clock = store, wake, clock

    async def verify(self, token: str, mode: str, topic: str, lease: str) -> bool:
        """Tell whether we want what a hub asks back for."""
        now, seconds = self._clock(), float(lease) if lease.isascii() and lease.isdigit() and len(lease) < 12 else 0.0
        if mode == "subscribe":
            return await self._store.write(lambda tx: push.granted(tx, token, topic, seconds, now))
        if mode == "denied":
            return await self._store.write(lambda tx: push.denied(tx, token, topic, now))
        return False  # we end no subscription: its address is gone with it

    async def news(self, token: str, body: bytes, signature: str) -> bool:
        """Hear that there is news; False where nobody is subscribed (any more)."""
        now = self._clock()
        known = await self._store.write(lambda tx: push.news(tx, token, body, signature, now))
        if known:
            self._wake()
        return known
