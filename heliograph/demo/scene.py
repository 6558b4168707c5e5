"""Where the story plays, and who is in it.

Law: every chapter gets the same scene, as the ones before it have left it.
"""

from __future__ import annotations

from dataclasses import dataclass

from heliograph.demo.outside import Mailbox, Site
from heliograph.demo.people import Person
from heliograph.demo.stage import Stage

PEOPLE = ("alice", "bob", "erin", "heidi")  # bob and alice live on host-3, heidi on host-2, erin on host-1
STRANGER = "zoe"
CROWD = ("ada", "ben", "cleo", "dan", "eve", "fay", "gus", "hal", "ina", "jim", "kim", "leo")  # strangers, too
SPLIT_THRESHOLD = len(CROWD)  # zoe and they are one too many for one list


@dataclass(frozen=True, slots=True)
class Scene:
    """The stage, the world outside, and a client for each person."""

    stage: Stage
    mailbox: Mailbox
    site: Site
    alice: Person
    bob: Person
    erin: Person
    heidi: Person
    other: Stage | None = None  # another operator's fabric

    @property
    def reflector(self) -> str:
        return f"bob@reflectors.{self.stage.config.domain}"

    def to_bob(self, command: str) -> str:
        return f"bob+{command}@reflectors.{self.stage.config.domain}"
