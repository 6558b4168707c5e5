"""The chapter in which a host is lost: its standby shows the mail at once, and is its heir when the operator says so.

Law: the host is frozen, not told: nobody in the fabric knows more of it than that it does not answer.
"""

from __future__ import annotations

import contextlib
import imaplib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from heliograph.demo.moves import seen
from heliograph.demo.people import Person
from heliograph.demo.scene import Scene
from heliograph.demo.story import Story

LOST, HEIR = "host-2", "host-3"
WAIT_SECONDS_MAX = 60.0
GAP = 65_536  # UIDs that an heir skips


def the_lost_host(story: Story, scene: Scene) -> None:
    """host-2 dies, with erin's mailbox and bob's list: the operator names its heir by an edit of the zone"""
    scene.stage.ask("host", "standby", LOST, HEIR, "--apply")
    in_step = _until(lambda: _is_in_step(scene))
    story.check(f"{HEIR} holds a copy of all that {LOST} has", in_step)
    scene.bob.send(scene.reflector, "Last words")
    scene.erin.wait_for_subject("Last words")
    erin = replace(scene.erin, host=1)  # her client's host is the one that dies: it is set to another
    before = seen(erin)
    pid = int((scene.stage.config.host_folder(LOST) / "lock").read_text())
    os.kill(pid, signal.SIGSTOP)
    _read_while_away(story, erin)
    code, text = scene.bob.send(scene.reflector, "Into the dark")
    story.check("a post to the list that is lost with it is accepted, and waits", code == 250, text)
    scene.stage.ask("host", "promote", LOST, "--apply", "--force")
    _take_over(story, erin, before)
    os.kill(pid, signal.SIGCONT)
    story.check(f"{LOST} wakes up, and gives back what only it had", _until(lambda: _welcomed(scene)))
    for person in (scene.alice, scene.erin, scene.heidi):
        subjects = [letter.subject for letter in person.letters()]
        counts = [subjects.count(subject) for subject in ("Last words", "Into the dark")]
        story.check(f"{person.name} has each post once", counts == [1, 1], counts)


def _read_while_away(story: Story, erin: Person) -> None:
    found = _until(lambda: any(letter.subject == "Last words" for letter in erin.letters()))
    story.check("erin reads her mail all the same, from the copy", found)


def _take_over(story: Story, erin: Person, before: dict[str, Any]) -> None:
    homes = _until(lambda: erin.stage.ask("where", "erin")["timeline_host"] == HEIR)
    story.check("`where` names the heir", homes)
    story.check("erin gets the post that waited", erin.wait_for_subject("Into the dark", WAIT_SECONDS_MAX))
    after = seen(erin)
    changed = {uid for uid, flags in before["flags"].items() if after["flags"].get(uid) != flags}
    story.check("every message has its UID and its flags still", not changed, f"{len(before['flags'])} messages")
    highest = max(map(int, before["flags"]))
    new = [uid for uid in map(int, after["flags"]) if uid > highest]
    story.check("no UID can have been given twice", new and min(new) > highest + GAP, f"{highest}, then {new}")


def _standby(scene: Scene) -> Any:
    return next(row.get("standby") for row in scene.stage.ask("status")["hosts"] if row["host"] == LOST)


def _is_in_step(scene: Scene) -> bool:
    shown = _standby(scene)
    return bool(shown) and shown.get("phase") == "in step"


def _welcomed(scene: Scene) -> bool:
    return scene.stage.command("host", "welcome", LOST, "--apply").returncode == 0


def _until(holds: Callable[[], bool]) -> bool:
    give_up = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < give_up:
        with contextlib.suppress(OSError, imaplib.IMAP4.error):  # a host that is away
            if holds():
                return True
        time.sleep(0.3)
    return False
