"""Quota: how much an account may keep, and how much it keeps (RFC 9208).

Law: the count is changed in the transaction that changes what is counted, and is never made by looking at entries.
What counts is what somebody brought: letters, APPENDs, copies (of posts too), each with its whole size. Posts from the
log do not, wherever they are moved to: they are stored once for everybody, and retention bounds them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from mailbox_host.folder_names import FolderError
from store import Reader, Transaction


@dataclass(frozen=True, slots=True)
class Quota:
    """What an account may keep, unless it has limits of its own; 0: as much as it likes."""

    octets: int = 0
    messages: int = 0


class Usage(NamedTuple):
    """What an account keeps, and its limits (0: none)."""

    octets: int
    messages: int
    octets_max: int
    messages_max: int

    def has_room(self, octets: int, messages: int = 1) -> bool:
        fits = not self.octets_max or self.octets + octets <= self.octets_max
        return fits and (not self.messages_max or self.messages + messages <= self.messages_max)

    def could_hold(self, octets: int) -> bool:
        """Tell whether a message would fit if nothing else were there."""
        return not self.octets_max or octets <= self.octets_max


class OverQuota(FolderError):
    """The account may not keep so much."""


def usage(source: Reader | Transaction, account: str, quota: Quota) -> Usage:
    """Return what an account keeps; where there is no account, nothing without limits."""
    row = source.one(
        "SELECT octets, messages, coalesce(quota_octets, ?), coalesce(quota_messages, ?) FROM account WHERE name = ?",
        (quota.octets, quota.messages, account),
    )
    return Usage(*(row or (0, 0, 0, 0)))


def is_full(source: Reader | Transaction, account: str, quota: Quota) -> bool:
    """Tell whether not the smallest letter fits."""
    return not usage(source, account, quota).has_room(1)


def check_room(tx: Transaction, account: str, octets: int, messages: int, quota: Quota) -> None:
    """Raise OverQuota where so much more does not fit."""
    if not usage(tx, account, quota).has_room(octets, messages):
        raise OverQuota("The account may not keep so much: delete something, or ask its operator")


def count(tx: Transaction, account: int, octets: int, messages: int) -> None:
    """Note that an account (its row) keeps so much more, or less."""
    tx.execute(
        "UPDATE account SET octets = octets + ?, messages = messages + ? WHERE id = ?", (octets, messages, account)
    )


def own_limits(source: Reader | Transaction, account: str) -> tuple[int | None, int | None]:
    """Return an account's own limits, of octets and of messages; None where the configuration's hold."""
    row = source.one("SELECT quota_octets, quota_messages FROM account WHERE name = ?", (account,))
    return (row[0], row[1]) if row else (None, None)


def set_limits(tx: Transaction, account: str, octets: int | None, messages: int | None) -> None:
    """Give an account limits of its own: 0 is none, None takes the configuration's."""
    tx.execute("UPDATE account SET quota_octets = ?, quota_messages = ? WHERE name = ?", (octets, messages, account))


def miscounted(source: Reader | Transaction, after: str, most: int) -> tuple[list[str], str]:
    """Count a page of accounts anew: return those whose count is wrong, and the last name of the page ("": the end)."""
    rows = source.all(
        """
        SELECT a.name, a.octets = coalesce(sum(e.size), 0) AND a.messages = count(e.uid)
        FROM (SELECT * FROM account WHERE name > ? ORDER BY name LIMIT ?) a
        LEFT JOIN folder f ON f.account = a.id LEFT JOIN entry e ON e.folder = f.id AND e.source IS NULL
        GROUP BY a.id ORDER BY a.name
        """,
        (after, most),
    )
    return [name for name, right in rows if not right], rows[-1][0] if len(rows) == most else ""


def recount(tx: Transaction, account: str) -> None:
    """Make an account's count anew."""
    tx.execute(
        """
        UPDATE account SET (octets, messages) = (
            SELECT coalesce(sum(e.size), 0), count(e.uid) FROM folder f JOIN entry e ON e.folder = f.id
            WHERE f.account = account.id AND e.source IS NULL)
        WHERE name = ?
        """,
        (account,),
    )
