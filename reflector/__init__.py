"""Lists of followers: who follows a source, what may be posted to it, and to whom a post goes.

Law: only the owner posts; only the subscriber's own word changes a subscription; a post goes exactly to the intervals
that contain its number. A room does no I/O: it reads and writes its own tables and returns what is to be sent.
"""

from reflector.room import ReflectorRoom
from reflector.settings import Settings
from reflector.tables import MIGRATIONS

__all__ = ["MIGRATIONS", "ReflectorRoom", "Settings"]
