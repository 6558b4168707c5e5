"""The bell: who waits for what, and is woken when it comes.

Law: it lives on the event loop; ring it through `Transaction.after_commit`, so that nobody is woken before there is
something to read. To be woken says only: look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable


class Bell:
    """Sessions listen for one account and the sources that it follows."""

    def __init__(self) -> None:
        self._accounts: dict[str, set[Listener]] = {}
        self._sources: dict[str, set[Listener]] = {}

    def listen(self, account: str, sources: Iterable[str], wake: Callable[[], object]) -> Listener:
        """Have `wake` called when the account or one of the sources rings, until the listener is closed."""
        listener = Listener(self, account, wake)
        self._accounts.setdefault(account, set()).add(listener)
        listener.follow(sources)
        return listener

    def ring_account(self, account: str) -> None:
        for listener in list(self._accounts.get(account, ())):
            listener.wake()

    def ring_sources(self, sources: Iterable[str]) -> None:
        """Wake who follows any of these, each once."""
        waiting = {listener for source in sources for listener in self._sources.get(source, ())}
        for listener in waiting:
            listener.wake()


class Listener:
    """One session's place at the bell."""

    __slots__ = ("_bell", "_sources", "account", "wake")

    def __init__(self, bell: Bell, account: str, wake: Callable[[], object]) -> None:
        self._bell = bell
        self.account = account
        self.wake = wake
        self._sources: frozenset[str] = frozenset()

    def follow(self, sources: Iterable[str]) -> None:
        """Listen for these sources from now on, instead of those before."""
        wanted = frozenset(sources)
        table = self._bell._sources
        for source in self._sources - wanted:
            _leave(table, source, self)
        for source in wanted - self._sources:
            table.setdefault(source, set()).add(self)
        self._sources = wanted

    def close(self) -> None:
        self.follow(())
        _leave(self._bell._accounts, self.account, self)


def _leave(table: dict[str, set[Listener]], key: str, listener: Listener) -> None:
    waiting = table.get(key)
    if waiting is not None:
        waiting.discard(listener)
        if not waiting:  # a source that nobody waits for leaves nothing behind
            del table[key]
