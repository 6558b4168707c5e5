"""The tables of what comes back.

Law: a row of `bouncing` lives as long as somebody's mail fails, and no longer than her subscription.

- bouncing: `score`, of which `today` points are of `day`; `probe`: the token of the question that was sent ('' none),
  at `probed`. `reason`: what was said last.
- news: what the owner is to be told. digest: when, and when failing rows are looked at again.
"""

from __future__ import annotations

from store import Migration

BOUNCES = Migration(
    "reflector",
    3,
    """
    CREATE TABLE bouncing (
        list TEXT NOT NULL, address TEXT NOT NULL, score REAL NOT NULL, today REAL NOT NULL, day INTEGER NOT NULL,
        probe TEXT NOT NULL, probed REAL NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (list, address)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX bouncing_probe ON bouncing (list, probe) WHERE probe <> '';
    CREATE TABLE news (
        id INTEGER PRIMARY KEY, list TEXT NOT NULL, what TEXT NOT NULL, address TEXT NOT NULL, reason TEXT NOT NULL,
        at REAL NOT NULL
    ) STRICT;
    CREATE INDEX news_list ON news (list, id);
    CREATE TABLE digest (list TEXT PRIMARY KEY, due REAL NOT NULL) STRICT, WITHOUT ROWID;
    CREATE INDEX digest_due ON digest (due)
    """,
)
