"""The chapter with a second fabric: another operator's, with a domain, a count of buckets and keys of its own.

Law: the two know of each other what the DNS says, and nothing else: each asks the name servers of both.
"""

from __future__ import annotations

import email
import smtplib
import time
from collections.abc import Iterator
from contextlib import contextmanager

from heliograph.demo.people import Person, letter
from heliograph.demo.scene import Scene
from heliograph.demo.stage import Stage, stage
from heliograph.demo.story import Story

DOMAIN = "lighthouse.test"
BUCKETS = 1_000
READERS = ("mary", "nils", "olaf")
FOLLOW_SECONDS_MAX = 20.0
SOURCE = "bob=fabric.test"


@contextmanager
def second_fabric() -> Iterator[Stage]:
    """A fabric of one host, down; `acquaint` it with the other before either is up."""
    with stage(hosts=1, options=("--domain", DOMAIN, "--buckets", str(BUCKETS))) as other:
        yield other


def acquaint(*stages: Stage) -> None:
    """Let each find the others as the world would: by MX and TXT, which their name servers tell."""
    servers = ", ".join(f"{one.address(1)}:{one.config.ports.dns}" for one in stages)
    for one in stages:
        path = one.root / "heliograph.toml"
        outside = f'[smtp]\nresolver = "{servers}"\nforeign_port = {one.config.ports.smtp}\n'
        text = path.read_text().replace("[smtp]\n", outside)
        path.write_text(text.replace("[reflectors]\n", "[reflectors]\nmirror_grace_seconds = 0\n"))


def the_other_fabric(story: Story, scene: Scene) -> None:
    """Another operator's fabric follows bob: one copy crosses, whoever reads there"""
    other = scene.other
    if other is None:
        story.say("(there is none on this stage)")
        return
    other.add_people(*READERS)
    seconds = other.start()
    story.check(f"{DOMAIN} is up, with {BUCKETS} buckets", True, f"{seconds:.1f} s, at {other.net}")
    mary, nils, olaf = (Person(other, name, 1) for name in READERS)
    for reader, to, subject in (
        (mary, scene.to_bob("subscribe"), ""),
        (nils, f"bob@{scene.stage.config.domain}", "subscribe"),
        (olaf, f"bob-request@reflectors.{scene.stage.config.domain}", "subscribe"),
    ):
        code, text = reader.send(to, subject)
        story.check(f"{reader.name} writes to {to}, Subject {subject!r}", code == 250, text)
        found = reader.wait_for_subject("You follow bob@fabric.test")
        story.check(f"{reader.name} is told that it is done", found, found and found.subject)
    story.check("their fabric follows bob, without a human between", _state(other, "following"), _state(other))
    scene.bob.send(scene.reflector, "Across the water")
    copies = {reader.name: _trace(reader, "Across the water") for reader in (mary, nils, olaf)}
    story.check("each of them reads it", all(copies.values()), [*copies])
    story.check("it crossed once for all of them", len(set(copies.values())) == 1, copies["mary"])
    read = mary.wait_for_subject("Across the water")
    story.check(
        "it is still bob's", read and "bob" in read.sender and "fabric.test" in read.list_id, read and read.sender
    )
    said = _forge(other, f"{SOURCE}@reflectors.{DOMAIN}")
    story.check("who is not bob's fabric cannot write to their copy of his list", said.startswith("550"), said)
    _leave(story, scene, other, (mary, nils, olaf))


def _leave(story: Story, scene: Scene, other: Stage, readers: tuple[Person, ...]) -> None:
    """They go, one after the other."""
    for reader in readers:
        reader.send(f"{SOURCE}+unsubscribe@reflectors.{DOMAIN}", "")
        reader.wait_for_subject("You no longer follow bob@fabric.test")
    story.check("the last who leaves ends it", _state(other, "ended"), _state(other))
    scene.bob.send(scene.reflector, "Nobody over there")
    scene.alice.wait_for_subject("Nobody over there")
    time.sleep(0.5)
    got = [one for reader in readers for one in reader.letters() if "Nobody" in one.subject]
    story.check("no more of bob's posts come", not got)
    story.check("SIGTERM ends their fabric too", other.stop() == 0)


def _forge(other: Stage, to: str) -> str:
    """Write as bob, from nowhere."""
    sender = f"bob@{SOURCE.partition('=')[2]}"
    with smtplib.SMTP(other.address(1), other.config.ports.smtp, timeout=10) as client:
        try:
            client.send_message(letter(sender, to, "I am bob", "", DOMAIN), sender, [to])
        except smtplib.SMTPResponseException as refused:
            return f"{refused.smtp_code} {refused.smtp_error!r}"
    return "250"


def _state(other: Stage, wanted: str = "") -> str:
    """What the operator sees of the mirror, once it is so; "" if it never is."""
    give_up = time.monotonic() + FOLLOW_SECONDS_MAX
    while True:
        states = [str(row["state"]) for row in other.ask("mirror", "list")["mirrors"]]
        if not wanted or wanted in states:
            return ", ".join(states)
        if time.monotonic() > give_up:
            return ""
        time.sleep(0.2)


def _trace(reader: Person, subject: str) -> str:
    """The identity of the message that brought a post to her fabric: its trace says it."""
    if reader.wait_for_subject(subject) is None:
        return ""
    with reader.mailbox() as client:
        _, found = client.uid("FETCH", "1:*", "(BODY.PEEK[HEADER])")
    headers = [email.message_from_bytes(part[1]) for part in found if isinstance(part, tuple)]
    return next(f"{one['Message-ID']} {one['Heliograph-Post']}" for one in headers if one["Subject"] == subject)
