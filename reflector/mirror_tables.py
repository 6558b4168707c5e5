"""The tables of sources in other fabrics: those that are mirrored here, and who mirrors ours.

Law: a mirror is a list like any other, with a row in `source` under its name, ``bob=other.example``; here stands what
it is to its upstream. Numbers of wishes only rise, also when a mirror ends and begins again.

- `mirror.state`: asking, following, refused, leaving or ended. `wish`: the number of the last one. `due`: when it is to
  be looked at. `census`: since when the hosts are asked how many follow (0: they are not). `top`: the highest number of
  an upstream's post.
- `mirrored_post`: the upstream's posts that were taken, by its own numbers, as far back as late ones may come.
- `fabric_wish`: of the fabrics that mirror a source of ours, the number of each one's last wish.
"""

from __future__ import annotations

from store import Migration

MIRRORS = Migration(
    "reflector",
    5,
    """
    CREATE TABLE mirror (
        list TEXT PRIMARY KEY, state TEXT NOT NULL, wish INTEGER NOT NULL, tries INTEGER NOT NULL, due REAL NOT NULL,
        renew REAL NOT NULL, census REAL NOT NULL, top INTEGER NOT NULL, founder TEXT NOT NULL, founded REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX mirror_due ON mirror (due);
    CREATE INDEX mirror_founder ON mirror (founder, founded);
    CREATE TABLE mirrored_post (
        list TEXT NOT NULL, post INTEGER NOT NULL, PRIMARY KEY (list, post)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE fabric_wish (
        list TEXT NOT NULL, fabric TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (list, fabric)
    ) STRICT, WITHOUT ROWID
    """,
)
