"""Fabrics that go away, forget, change, or stand in a ring: nothing is lost, and nothing comes twice."""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import re
import smtplib
import time
from dataclasses import replace
from pathlib import Path

import pytest

from directory.render import render_zone
from directory.snapshot import HostRecord
from heliograph.demo.across import acquaint, second_fabric
from heliograph.demo.people import Person as Writer
from heliograph.demo.stage import stage
from heliograph.keys import public_key, read_key
from heliograph.outside.seals import read_seals
from mail.headers import drop_headers
from tests.federation.pair import EAST, NORTH, SOUTH, Fabric, Someone, fabrics, sealed, still, until
from tests.federation.test_across import follows
from tests.federation.test_lies import here
from tests.federation.test_lies import post as forged

pytestmark = pytest.mark.soak


async def hurry(*towns: Fabric) -> None:
    """Time passes for what waits."""
    for town in towns:
        for host in town.hosts.values():
            await host.store.write(lambda tx, host=host: host.queue.retry(tx, None, time.time()))


async def renew(town: Fabric) -> None:
    """A week passes for mirrors."""
    for host in town.hosts.values():
        await host.store.write(lambda tx: tx.execute("UPDATE mirror SET due = 0, renew = 0") and None)


async def asks(who: Someone, answer: str) -> None:
    said = await who.send("bob+subscribe@reflectors.north.test", "")
    assert said.startswith(answer), said


async def post(town: Fabric, who: str, subject: str) -> None:
    said = await town.person(who).send(f"{who}@reflectors.{town.domain}", subject)
    assert said.startswith("250"), said


def recount(town: Fabric, buckets: int) -> None:
    """Give a fabric of one host fewer buckets."""
    config, host = town.config, town.config.hosts[0]
    records = [HostRecord(host.name, host.address, public_key(read_key(config, host.name)))]
    dkim = {seal.selector: seal.text for seal in read_seals(config.host_folder(host.name), host.name)}
    town.config = replace(config, buckets=buckets)
    serial = int(time.time()) + 1_000
    config.zone_file.write_text(render_zone(config.domain, buckets, records, serial=serial, dkim=dkim))
    (config.host_folder(host.name) / f"{config.domain}.zone").unlink()


async def test_what_was_on_its_way_arrives_once(tmp_path: Path) -> None:
    async with fabrics(tmp_path, NORTH, EAST) as (north, east):
        await north.add("bob")
        await east.add("alice")
        alice = east.person("alice")
        # The other fabric does not answer while she asks.
        await north.stop()
        await asks(alice, "250")
        await until(lambda: east.mirror("bob=north.test") == "asking" and east.waiting())
        await north.start()
        await hurry(east)
        await until(lambda: east.mirror("bob=north.test") == "following")
        await still(north, east)

        await east.stop()
        for subject in ("One", "Two", "Three"):
            await post(north, "bob", subject)
        await east.start()
        await hurry(north)
        for subject in ("One", "Two", "Three"):
            await alice.got(subject)

        # It loses us: from a backup, or on purpose.
        (host,) = north.hosts.values()
        await host.store.write(lambda tx: tx.execute("DELETE FROM subscriber") and None)
        await renew(east)
        await until(lambda: north.followers("bob") and east.mirror("bob=north.test") == "following")
        await post(north, "bob", "Four")
        await alice.got("Four")

        # It changes its count of buckets, and we ours, as nobody should.
        await still(north, east)
        for town, buckets in ((north, 32), (east, 5)):
            await town.stop()
            recount(town, buckets)
            await town.start()
        await renew(east)
        await until(lambda: east.mirror("bob=north.test") == "following")
        await post(north, "bob", "Five")
        await alice.got("Five")
        subjects = await alice.subjects()
        assert sorted(s for s in subjects if " " not in s) == ["Five", "Four", "One", "Three", "Two"]


async def test_a_ring_of_three_gives_one_copy_each(tmp_path: Path) -> None:
    """Everybody follows everybody; and one sends on what he gets, by program."""
    people = {NORTH: "bob", SOUTH: "alice", EAST: "gil"}
    async with fabrics(tmp_path, NORTH, SOUTH, EAST) as towns:
        for town in towns:
            await town.add(people[town.domain])
        for town in towns:
            for domain, source in people.items():
                if domain != town.domain:
                    to = f"{source}+subscribe@reflectors.{domain}"
                    assert (await town.person(people[town.domain]).send(to, "")).startswith("250")
        await until(lambda: all(row == ("following",) for t in towns for row in t.one("SELECT state FROM mirror")))
        await still(*towns)
        for town in towns:
            await post(town, people[town.domain], f"from {town.domain}")
        await still(*towns)
        for town in towns:
            reader = town.person(people[town.domain])
            wanted = sorted(f"from {domain}" for domain in people if domain != town.domain)
            assert sorted(s for s in await reader.subjects() if s.startswith("from")) == wanted
            assert len(town.one("SELECT 1 FROM event WHERE kind = 'mirrored'")) == 2

        # Each reader's program posts what comes to his own list.
        sent, round_ = {town.domain: 0 for town in towns}, 0
        while round_ < 6:
            round_ += 1
            for town in towns:
                me = town.person(people[town.domain])
                for letter in (await me.letters())[sent[town.domain] :]:
                    sent[town.domain] += 1
                    if "from" in str(letter["Subject"]):
                        bare = drop_headers(letter.as_bytes(), ("from", "sender", "reply-to", "list-id"))
                        to = f"{me.name}@reflectors.{town.domain}"
                        await me.submit(
                            f"From: {me.mail}\r\n".encode() + bare.replace(b"\n", b"\r\n").replace(b"\r\r", b"\r"), [to]
                        )
            await still(*towns)
        before = dict(sent)
        await still(*towns)
        for town in towns:
            assert len(await town.person(people[town.domain]).letters()) == before[town.domain]  # it came to an end


async def test_a_name_that_somebody_else_answers_for_is_nothing_without_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """East's resolver is led to a fabric that says it is north: TXT and MX lie, but its mail has no good seal."""
    async with fabrics(tmp_path / "liar", NORTH) as (liar,), fabrics(tmp_path, NORTH, EAST) as (north, east):
        await liar.add("bob")
        await north.add("bob")
        await east.add("alice")
        await follows(east, "bob", "alice")
        await still(north, east)
        lie = sealed(liar, forged("bob", 9, "Lie"))
        to = here("bob").replace("south", "east")
        said = await east.hears("x@north.test", to, lie)
        assert said.startswith("550 5.7.20"), said
        monkeypatch.setattr("heliograph.federation.fabrics.ANSWER_SECONDS_MAX", 0.3)
        await east.stop()
        east.config = replace(east.config, smtp=replace(east.config.smtp, resolver="127.0.0.1:9"))
        await east.start()
        assert (await east.hears("x@north.test", to, lie)).startswith("451 4.7.5")


async def test_an_operator_refuses_a_fabric(tmp_path: Path) -> None:
    async with fabrics(tmp_path, NORTH, EAST) as (north, east):
        await north.add("bob")
        await east.add("alice")
        await follows(east, "bob", "alice")
        await still(north, east)
        await east.stop()
        east.config = replace(east.config, refused_fabrics=frozenset({"north.test"}))
        await east.start()
        await asks(east.person("alice"), "550 5.7.1")
        await post(north, "bob", "Unwanted")
        await still(north, east)
        assert "Unwanted" not in await east.person("alice").subjects()


async def test_a_mirror_moves_to_another_host_while_posts_come(tmp_path: Path) -> None:
    mirror = "bob=north.test"
    async with fabrics(tmp_path, NORTH, SOUTH) as (north, south):
        await north.add("bob")
        await south.add("alice", "erin", "heidi", "dan")
        await follows(south, "bob", "alice", "erin", "heidi")
        bucket = south.config.names.bucket(mirror)
        giver = next(iter(south.hosts.values())).directory.current.owner("reflectors", bucket)
        taker = "host-2" if giver == "host-1" else "host-1"
        posting = asyncio.create_task(_post_on(north, 30))
        await asyncio.sleep(0.5)
        text = south.config.zone_file.read_text()
        edited, count = re.subn(rf"(?m)^(b{bucket}\.reflectors\s+MX\s+10\s+)host-\d", rf"\g<1>{taker}", text)
        assert count == 1
        south.config.zone_file.write_text(edited)
        await south.hosts["host-1"].directory.reload()
        await posting
        await hurry(north, south)
        await still(north, south)
        for name in ("alice", "erin", "heidi"):
            await south.person(name).got("Post 29")
            subjects = [subject for subject in await south.person(name).subjects() if subject.startswith("Post")]
            assert sorted(subjects) == sorted(f"Post {number}" for number in range(30)), name
        there = south.hosts[taker].store.reader
        assert there.all("SELECT state FROM mirror WHERE list = ?", (mirror,)) == [("following",)]
        for name in ("alice", "erin", "heidi"):
            await south.person(name).send(f"{mirror}+unsubscribe@reflectors.south.test", "")
        await until(
            lambda: there.all("SELECT state FROM mirror") == [("ended",)],
            lambda: str(south.one("SELECT * FROM mirror")),
        )
        assert north.followers("bob") == []


async def _post_on(north: Fabric, posts: int) -> None:
    for number in range(posts):
        await post(north, "bob", f"Post {number}")
        await asyncio.sleep(0.05)


def test_hosts_on_both_sides_are_killed_and_nothing_is_lost_or_doubled() -> None:
    readers = ("mary", "nils")
    with stage(hosts=1) as here, second_fabric() as there:
        acquaint(here, there)
        here.add_people("bob")
        there.add_people(*readers)
        here.start()
        there.start()
        people = [Writer(there, name, 1) for name in readers]
        for person in people:
            assert person.send("bob+subscribe@reflectors.fabric.test", "")[0] == 250
        give_up = time.monotonic() + 30
        while [row["state"] for row in there.ask("mirror", "list")["mirrors"]] != ["following"]:
            assert time.monotonic() < give_up
        taken, killed = [], 0
        for number in range(60):
            if number % 12 == 5:
                with contextlib.suppress(ProcessLookupError):  # it has not come back yet
                    (here if number % 24 == 5 else there).kill_host("host-1")
                    killed += 1
            code = 0
            with contextlib.suppress(OSError, smtplib.SMTPException):
                code, _ = Writer(here, "bob", 1).send("bob@reflectors.fabric.test", f"Post {number}")
            if code == 250:
                taken.append(f"Post {number}")
            else:
                time.sleep(0.5)
        assert killed >= 3
        assert len(taken) > 20
        for person in people:
            give_up, got = time.monotonic() + 120, list[str]()
            while set(got) < set(taken) and time.monotonic() < give_up:
                here.command("queue", "retry", "--all")
                time.sleep(0.5)
                with contextlib.suppress(OSError, imaplib.IMAP4.error):
                    got = [one.subject for one in person.letters() if one.subject.startswith("Post")]
            assert set(taken) <= set(got) and len(got) == len(set(got)), (person.name, sorted(got), taken)
