"""What an operator can set of the mailboxes.

Law: what an account or a folder has of its own comes before what stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from mailbox_host.quota import Quota

LOG_DAYS = 400
# A post that has left the log is not taken into it again. What is under way comes within 5 days (a queue's patience)
# and 14 (a moved bucket's forwarding), so no log is cut shorter than this.
LOG_DAYS_MIN = 30


@dataclass(frozen=True, slots=True)
class Settings:
    """`log_days`: how long posts are kept. `days`: of folders without retention of their own, by their special use
    (RFC 6154), 0 for ever."""

    quota: Quota = field(default_factory=Quota)
    log_days: int = LOG_DAYS
    days: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
