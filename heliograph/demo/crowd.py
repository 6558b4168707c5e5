"""The chapter in which a list outgrows its host.

Law: bob does nothing but post; what becomes of his list shows in the operator's command alone.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from heliograph.demo.scene import CROWD, STRANGER, Scene
from heliograph.demo.story import Story

POSTS_MIN = 8
BETWEEN_POSTS_SECONDS = 0.2
SPLIT_SECONDS_MAX = 20.0


def the_crowd(story: Story, scene: Scene) -> None:
    """A crowd follows bob: his list becomes a tree on several hosts while he posts"""
    scene.erin.send(scene.to_bob("subscribe"), "")
    confirmed = [name for name in CROWD if _follow(scene, name)]
    story.check("twelve strangers follow, each by her word", len(confirmed) == len(CROWD), ", ".join(confirmed))
    sent: list[str] = []
    tree, give_up = None, time.monotonic() + SPLIT_SECONDS_MAX
    while not tree or (not _is_split(tree) and time.monotonic() < give_up):
        sent.append(f"To the crowd {len(sent) + 1}")
        scene.bob.send(scene.reflector, sent[-1])
        time.sleep(BETWEEN_POSTS_SECONDS)
        tree = _tree(scene) if len(sent) >= POSTS_MIN else None
    below = [branch for branch in tree["branches"] if branch["kind"] == "sub"]
    story.check("the list has split meanwhile, by itself", _is_split(tree), f"{len(below)} lists below")
    hosts = {tree["host"], *(branch["host"] for branch in tree["branches"])}
    story.check("it serves from three hosts now", len(hosts) == 3, sorted(hosts))
    outside = _counts(scene, sent)
    wrong = {name: outside[name] for name in (*CROWD, STRANGER) if outside[name] != Counter(sent)}
    story.check(f"each stranger has each of the {len(sent)} posts once", not wrong, wrong)
    for person in (scene.alice, scene.erin, scene.heidi):
        person.wait_for_subject(sent[-1])
        got = Counter(letter.subject for letter in person.letters() if letter.subject in sent)
        story.check(f"and so has {person.name}", got == Counter(sent), dict(got) if got != Counter(sent) else "")
    for line in scene.stage.command("reflector", "show", "bob").stdout.splitlines():
        story.say(line)


def _follow(scene: Scene, name: str) -> bool:
    """Ask, be asked, answer, be welcomed."""
    scene.mailbox.send(name, scene.to_bob("subscribe"), "please")
    asked = scene.mailbox.wait_for(name, lambda letter: "+confirm." in letter.reply_to)
    if asked is None:
        return False
    scene.mailbox.send(name, asked.reply_to, "Re: " + asked.subject)
    return scene.mailbox.wait_for(name, lambda letter: letter.subject == "You follow bob") is not None


def _tree(scene: Scene) -> dict[str, Any]:
    return dict(scene.stage.ask("reflector", "show", "bob")["trees"][0])


def _is_split(tree: dict[str, Any]) -> bool:
    return tree["outside"] == 0 and tree["move"] is None


def _counts(scene: Scene, sent: list[str]) -> dict[str, Counter[str]]:
    """What each stranger got of the posts, once the last has come to all, or should have."""
    for name in (*CROWD, STRANGER):
        for subject in sent:
            scene.mailbox.wait_for(name, lambda letter, subject=subject: letter.subject == subject, 10)  # type: ignore[misc]
    return {
        name: Counter(letter.subject for letter in scene.mailbox.letters(name) if letter.subject in sent)
        for name in (*CROWD, STRANGER)
    }
