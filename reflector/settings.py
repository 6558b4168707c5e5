"""What an operator may set, with the reason for each limit.

Law: read once, passed in, never changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from mail.follower_rows import ROWS_MAX

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Settings:
    """The limits of all reflectors on one host."""

    confirm_seconds: int = 3 * DAY_SECONDS  # Mailman's choice: a weekend away does not spoil a confirmation
    repeat_seconds: int = 14 * DAY_SECONDS  # beyond the five days a queue keeps trying (RFC 5321 4.5.4.1), and a pause
    way_out_seconds: int = 60 * DAY_SECONDS  # how long a copy's way out and return path outlive a split: US law asks 30
    stranger_mails_per_day: int = 5  # to one address, over all sources: what a forged From can make us send to a victim
    answers_per_day: int = 20  # to one signed-in user and source: two careless robots stop talking
    subscribers_max: int = 100_000  # rows of one flat list: a post is expanded in one transaction
    hops_max: int = 8  # lists that a post may pass: longer chains are rings
    leaf_threshold: int = 50  # followers of one host: from here on one copy for all of them is cheaper than theirs
    split_threshold: int = (
        10_000  # rows of one list: a post to so many is a tenth of a second of the host's only writer
    )
    fanout_max: int = 16  # sub-reflectors of one list: each range of a full list is 600 rows, one message
    rows_max: int = ROWS_MAX  # in one message between two lists
    answer_seconds: int = 600  # for a branch that is handed over or asked back; then the range is free again
    rest_seconds_min: int = 60  # after a hand-over that came to nothing; doubled each time
    rest_seconds_max: int = 3600
    report_seconds: int = 60  # between two reports of one list to its parent
    mirror_grace_seconds: int = 600  # a mirror that nobody follows goes on for so long: people change their minds
    mirror_census_seconds: int = 60  # for the hosts to say how many follow a mirror there
    mirror_ask_seconds: int = 3_600  # until a wish that was not answered is said again; doubled each time
    mirror_ask_seconds_max: int = DAY_SECONDS
    mirror_renew_seconds: int = 7 * DAY_SECONDS  # between two words to a fabric that we follow on: it may have lost us
    mirrors_per_day: int = 100  # new ones of one person, on one host: each is mail to somebody else's fabric
