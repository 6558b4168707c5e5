"""When a mailbox is looked into again.

Law: pure. A password that is refused is not offered again and again: servers count that, and lock the account. What
fails for a month is tried once a week, and its followers are told once.
"""

from __future__ import annotations

from ingest.fetched import Failed
from ingest.mailboxes.rows import Mailbox
from ingest.schedule import JITTER, SILENT_SECONDS, seldom
from ingest.settings import Settings

FIRST_WAIT_SECONDS = 10.0
WAIT_SECONDS_MAX = 21_600.0
REFUSED_SECONDS = 3_600.0  # then 2 hours, 4, 8
REFUSALS_MAX = 5  # of a password in a row,
REFUSED_SINCE_SECONDS = 43_200.0  # over half a day
QUIET_SHARE = 0.1  # of the time since the last message
HELD_SECONDS_MIN = 60.0  # a connection that ends sooner is ended on purpose
SOON_SECONDS = 10.0


def interval(mailbox: Mailbox, now: float, settings: Settings, chance: float) -> float:
    """Return the seconds until a folder is asked again whose server cannot tell: sooner where something came lately."""
    quiet = now - max(mailbox.last_post_at, mailbox.created_at)
    wanted = min(max(quiet * QUIET_SHARE, settings.mailbox_seconds_min), settings.mailbox_seconds_max)
    return _jittered(wanted, chance)


def after_waiting(seconds: float, settings: Settings, chance: float) -> float:
    """Return the seconds until a connection that waited so long for news, and ended, is made again."""
    return _jittered(SOON_SECONDS if seconds >= HELD_SECONDS_MIN else settings.mailbox_seconds_min, chance)


def standing_after(mailbox: Mailbox, failed: Failed, now: float) -> str:
    """Tell what a mailbox is after one more failure: "" while there is hope."""
    if mailbox.standing:
        return mailbox.standing
    since = now - mailbox.failing_since if mailbox.failing_since else 0.0
    if not failed.temporary and mailbox.errors + 1 >= REFUSALS_MAX and since >= REFUSED_SINCE_SECONDS:
        return "refused"
    return "silent" if since >= SILENT_SECONDS else ""


def after_failure(mailbox: Mailbox, failed: Failed, standing: str, chance: float) -> float:
    """Return the seconds until the next try."""
    if standing:
        return seldom(chance)
    if not failed.temporary:
        return _jittered(REFUSED_SECONDS * 2 ** min(mailbox.errors, 3), chance)
    return _jittered(min(FIRST_WAIT_SECONDS * 2 ** min(mailbox.errors, 12), WAIT_SECONDS_MAX), chance)


def _jittered(seconds: float, chance: float) -> float:
    return seconds * (1 - JITTER + 2 * JITTER * chance)
