"""A bucket edited in the zone: the intent alone moves nothing, refuses nothing and loses nothing."""

from __future__ import annotations

import imaplib
import re

import pytest

from tests.fabric.town import OUTSIDE, Town, from_outside, letter, until

ZOE = f"zoe@{OUTSIDE}"
HEIDI = "heidi@fabric.test"  # on host-2


async def name(town: Town, owner: str) -> None:
    """Edit heidi's bucket by hand, and wait until all hosts route by it."""
    bucket = town.config.names.bucket("heidi")
    text = town.config.zone_file.read_text()
    edited, count = re.subn(rf"(?m)^(b{bucket}\.timeline\s+MX\s+10\s+)host-\d", rf"\g<1>{owner}", text)
    assert count == 1
    town.config.zone_file.write_text(edited)
    await until(lambda: all(h.directory.current.owner("timeline", bucket) == owner for h in town.hosts.values()))


async def test_an_edited_bucket_waits_and_nothing_is_refused_or_lost(town: Town) -> None:
    await town.person("heidi").send("bob+subscribe@reflectors.fabric.test", "")
    await town.still()
    await name(town, "host-1")
    for number in (1, 2, 3):
        said = await from_outside(
            town.address(number), town.config.ports.smtp, ZOE, [HEIDI], letter(ZOE, HEIDI, f"by host {number}")
        )
        assert said.startswith("250"), said
    assert (await town.person("bob", 3).send("bob@reflectors.fabric.test", "meanwhile")).startswith("250")
    assert "by host 2" in await town.person("heidi", 2).subjects()  # her mailbox is where it was, and served
    for number in (1, 3):  # elsewhere: not now, and never a wrong password
        with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
            await town.person("heidi", number).letters()
    await until(lambda: [row for row in town.waiting() if row.attempts and row.recipient.startswith("heidi@")])
    await name(town, "host-2")
    for host in town.hosts.values():
        await host.store.write(lambda tx, host=host: host.queue.retry(tx, None, 0.0))
    await town.still()
    subjects = await town.person("heidi", 1).subjects()
    assert sorted(s for s in subjects if s.startswith("by")) == ["by host 1", "by host 2", "by host 3"]
    assert await town.person("heidi", 1).posts() == [(1, "meanwhile")]


async def test_ownership_outlives_a_restart(town: Town) -> None:
    await name(town, "host-1")
    for host in ("host-1", "host-2"):
        await town.stop(host)
        await town.start(host)
    assert (await town.person("heidi", 2).send(HEIDI, "to myself")).startswith("250")
    await until(lambda: not town.waiting())
    assert await town.person("heidi", 2).subjects() == ["to myself"]
