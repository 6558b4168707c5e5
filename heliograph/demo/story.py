"""The story as it is told: chapters, what was checked, what was seen.

Law: the last line of all output is ``N passed, M failed``. A chapter that breaks off counts as
failed, and the next begins.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

Scene = TypeVar("Scene")


@dataclass(slots=True)
class Story:
    """Counts checks and prints as it goes."""

    passed: int = 0
    failed: int = 0
    told: Callable[[str], None] = field(default=lambda line: print(line, flush=True))

    def say(self, text: str) -> None:
        self.told(f"       {text}")

    def check(self, what: str, holds: object, seen: object = "") -> bool:
        """Count one check and print it with what was seen."""
        good = bool(holds)
        self.passed += good
        self.failed += not good
        shown = f"  [{' '.join(str(seen).split())[:160]}]" if seen not in ("", None) else ""
        self.told(f"  {'ok  ' if good else 'FAIL'} {what}{shown}")
        return good

    def tell(self, chapters: Sequence[Callable[[Story, Scene], None]], scene: Scene) -> None:
        """Tell every chapter; its first line of documentation is its title."""
        for number, chapter in enumerate(chapters, 1):
            self.told(f"\n{number}. {(chapter.__doc__ or chapter.__name__).splitlines()[0]}")
            began = time.monotonic()
            try:
                chapter(self, scene)
            except Exception as error:  # the tour goes on, and the count tells
                self.check("the chapter comes to its end", False, repr(error))
            self.say(f"({time.monotonic() - began:.1f} s)")

    def end(self) -> int:
        """Print the last line; return the exit code."""
        self.told(f"\n{self.passed} passed, {self.failed} failed")
        return int(self.failed > 0)
