"""What an operator may set, with the reason for each limit.

Law: read once, passed in, never changed.
"""

from __future__ import annotations

from dataclasses import dataclass

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Settings:
    """The limits of all reflectors on one host."""

    confirm_seconds: int = 3 * DAY_SECONDS  # Mailman's choice: a weekend away does not spoil a confirmation
    repeat_seconds: int = 14 * DAY_SECONDS  # beyond the five days a queue keeps trying (RFC 5321 4.5.4.1), and a pause
    stranger_mails_per_day: int = 5  # to one address, over all sources: what a forged From can make us send to a victim
    answers_per_day: int = 20  # to one signed-in user and source: two careless robots stop talking
    subscribers_max: int = 100_000  # rows of one flat list: a post is expanded in one transaction
    hops_max: int = 8  # lists that a post may pass: longer chains are rings
