"""The chapter in which a mailbox and a list go to other hosts, by an edit of the zone.

Law: people notice a client that connects again, and nothing else: no mail, no number and no flag is another.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from typing import Any

from heliograph.demo.people import Person
from heliograph.demo.scene import Scene
from heliograph.demo.story import Story

BETWEEN_POSTS_SECONDS = 0.1
BYE_SECONDS_MAX = 30.0


def the_move(story: Story, scene: Scene) -> None:
    """erin's mailbox and bob's list move to host-2, by one line of the zone each, while bob posts"""
    before = seen(scene.erin)
    posting = Posting(scene)
    with scene.erin.mailbox() as client:
        _move(scene, "erin", "timeline", "host-2")
        if scene.stage.imap_at:  # another server keeps the mailboxes: it hears nothing of buckets
            story.check("her client notices nothing", client.noop()[0] == "OK")
        else:
            story.check("her client is told BYE, and connects again", _is_turned_out(client))
    _move(scene, "bob", "reflectors", "host-2")
    sent = posting.end()
    homes = {name: scene.stage.ask("where", name) for name in ("erin", "bob")}
    where = homes["erin"]["timeline_host"], homes["bob"]["reflectors_host"]
    story.check("`where` says that they live elsewhere", where == ("host-2", "host-2"), where)
    story.check("bob's posts were accepted all the while", set(sent.values()) == {250}, f"{len(sent)} posts")
    for person in (scene.heidi, scene.alice, scene.erin):
        person.wait_for_subject(list(sent)[-1])
        got = Counter(letter.subject for letter in person.letters() if letter.subject in sent)
        story.check(f"{person.name} has each of them once", got == Counter(sent.keys()), _short(got, sent))
    after = seen(scene.erin)
    story.check("UIDVALIDITY is the same", after["UIDVALIDITY"] == before["UIDVALIDITY"], after["UIDVALIDITY"])
    changed = {uid for uid, flags in before["flags"].items() if after["flags"].get(uid) != flags}
    story.check("every message has its UID and its flags still", not changed, f"{len(before['flags'])} messages")


class Posting:
    """bob, who posts on and on: subject -> the reply."""

    def __init__(self, scene: Scene) -> None:
        self._scene, self._enough = scene, threading.Event()
        self._sent: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._enough.wait(BETWEEN_POSTS_SECONDS):
            subject = f"While moving {len(self._sent) + 1}"
            self._sent[subject] = self._scene.bob.send(self._scene.reflector, subject)[0]

    def end(self) -> dict[str, int]:
        self._enough.set()
        self._thread.join()
        return self._sent


def _move(scene: Scene, entity: str, which: str, host: str) -> None:
    done = scene.stage.ask("where", entity)
    scene.stage.command("bucket", "move", str(done["bucket"]), host, "--map", which, "--wait")


def seen(person: Person) -> dict[str, Any]:
    """UIDVALIDITY, and the flags by UID."""
    with person.mailbox() as client:
        _, found = client.uid("FETCH", "1:*", "(FLAGS)")
        rows = [line.decode() for line in found if isinstance(line, bytes)]
        rows = [re.sub(r"\\Recent ?", "", row) for row in rows]  # of a session, not of the message
        flags = {row.partition("UID ")[2].split(" ")[0].rstrip(")"): row.partition("FLAGS")[2] for row in rows}
        return {"UIDVALIDITY": client.response("UIDVALIDITY")[1][0], "flags": flags}


def _is_turned_out(client: Any) -> bool:
    """Tell whether the server says good-bye, as RFC 3501 7.1.5 has it."""
    client.sock.settimeout(BYE_SECONDS_MAX)
    give_up = time.monotonic() + BYE_SECONDS_MAX
    while time.monotonic() < give_up:
        line = client.readline()
        if not line or b"BYE" in line:
            return b"BYE" in line
    return False


def _short(got: Counter[str], sent: dict[str, int]) -> str:
    wrong = {subject: got[subject] for subject in sent if got[subject] != 1}
    return str(wrong) if wrong else f"{len(sent)} posts"
