"""That a host came back from a backup: when, and of when the backup was.

Law: never changed; a row begins an epoch, before which what the host told others is unknown to it.
"""

from __future__ import annotations

from store import Migration

MIGRATIONS = (Migration("backup", 1, "CREATE TABLE restored (at REAL NOT NULL, backup_at REAL NOT NULL) STRICT"),)
