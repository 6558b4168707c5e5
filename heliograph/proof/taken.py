"""What this host has let in under a seal lately.

Law: only a short cut. That a list takes a mail once is in its own table, which goes where it goes; this spares the
queue the thousandth copy of one, and its author's allowance.
"""

from __future__ import annotations

from collections import OrderedDict

REMEMBERED_MAX = 10_000  # some 2 MB


class Taken:
    """`number`: what a mail is known by."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def has(self, number: str, recipient: str) -> bool:
        return (number, recipient.lower()) in self._known

    def note(self, number: str, recipients: list[str]) -> None:
        """It is on disk."""
        self._known.update(((number, recipient.lower()), None) for recipient in recipients)
        while len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)
