"""A bucket edited in the zone, to a host that is away: the intent alone moves, refuses and loses nothing."""

from __future__ import annotations

import imaplib
import re

import pytest

from spool import listing
from tests.fabric.town import OUTSIDE, Town, from_outside, letter, until

ZOE = f"zoe@{OUTSIDE}"
HEIDI = "heidi@fabric.test"  # on host-2


async def name(town: Town, owner: str) -> None:
    """Edit heidi's bucket by hand, and wait until all hosts that are up route by it."""
    bucket = town.config.names.bucket("heidi")
    text = town.config.zone_file.read_text()
    edited, count = re.subn(rf"(?m)^(b{bucket}\.timeline\s+MX\s+10\s+)host-\d", rf"\g<1>{owner}", text)
    assert count == 1
    town.config.zone_file.write_text(edited)
    await until(lambda: all(h.directory.current.owner("timeline", bucket) == owner for h in town.hosts.values()))


async def test_a_bucket_that_nobody_takes_waits_and_nothing_is_refused_or_lost(town: Town) -> None:
    await town.person("heidi").send("bob+subscribe@reflectors.fabric.test", "")
    await town.still()
    await town.stop("host-3")
    await name(town, "host-3")
    for number in (1, 2):
        said = await from_outside(
            town.address(number), town.config.ports.smtp, ZOE, [HEIDI], letter(ZOE, HEIDI, f"by host {number}")
        )
        assert said.startswith("250"), said
    await until(lambda: not listing.waiting(town.hosts["host-2"].store.reader))
    subjects = await town.person("heidi", 2).subjects()  # her mailbox is where it was, and served
    assert "by host 2" in subjects and "by host 1" not in subjects
    with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):  # elsewhere: not now, and never a wrong password
        await town.person("heidi", 1).letters()
    await until(lambda: [row for row in town.waiting() if row.attempts and row.recipient.startswith("heidi@")])
    await name(town, "host-2")
    for host in town.hosts.values():
        await host.store.write(lambda tx, host=host: host.queue.retry(tx, None, 0.0))
    await until(lambda: not [row for row in town.waiting() if row.recipient.startswith("heidi@")])
    subjects = await town.person("heidi", 1).subjects()
    assert sorted(s for s in subjects if s.startswith("by")) == ["by host 1", "by host 2"]
