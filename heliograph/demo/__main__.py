"""The tour's front: sets the stage, tells the story, cleans up.

Law: whatever happens, the last line is the count, and nothing is left running or on disk.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from heliograph.demo.across import acquaint, second_fabric
from heliograph.demo.chapters import CHAPTERS
from heliograph.demo.outside import DOMAIN, MAIL_PORT, PLACE, foreign_mailbox, web_site
from heliograph.demo.people import Person
from heliograph.demo.scene import PEOPLE, SPLIT_THRESHOLD, Scene
from heliograph.demo.stage import Stage, stage
from heliograph.demo.story import Story


def settings(text: str, net: str) -> str:
    """The outside of this fabric is on its own network, feeds are polled every second, and lists split early."""
    place = net.replace(".0/24", f".{PLACE}")
    text = text.replace("feed_allow_networks = []", f'feed_allow_networks = ["{place}/32"]')
    text = text.replace("[smtp.relays]", f'[smtp.relays]\n"{DOMAIN}" = "{place}:{MAIL_PORT}"')
    lists = f"[reflectors]\nleaf_threshold = 1\nsplit_threshold = {SPLIT_THRESHOLD}\nfanout_max = 3"
    return text.replace("[feeds]", "[feeds]\npoll_seconds_min = 1").replace("[reflectors]", lists)


def main() -> int:
    story = Story()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ExitStack() as scenery:
            story.told(
                "A heliograph is a mirror that flashes one message to everyone in sight. This one is made of mail."
            )
            here = scenery.enter_context(stage(settings=settings))
            other = scenery.enter_context(second_fabric())
            acquaint(here, other)
            tell(story, here, scenery, other)
            if story.failed:
                story.told("\nWhat the hosts said last:\n" + here.log()[-6000:])
    except Exception as error:
        story.check("the stage can be set", False, error)
    except KeyboardInterrupt:
        story.check("the tour comes to its end", False, "interrupted")
    return story.end()


def tell(
    story: Story,
    here: Stage,
    scenery: ExitStack,
    other: Stage | None = None,
    chapters: Sequence[Callable[[Story, Scene], None]] = CHAPTERS,
) -> None:
    """Tell all of it on a stage that is set; `other`: a second fabric, acquainted with it."""
    here.add_people(*PEOPLE)  # the fabric is down: the command opens the hosts' databases itself
    seconds = here.start()
    story.check("a fabric of three hosts is up", True, f"{seconds:.1f} s, at {here.net}")
    mailbox = scenery.enter_context(foreign_mailbox(here))
    site = scenery.enter_context(web_site(here.address(PLACE)))
    alice, bob, erin, heidi = (Person(here, name, host) for name, host in zip(PEOPLE, (1, 3, 2, 3), strict=True))
    story.tell(chapters, Scene(here, mailbox, site, alice, bob, erin, heidi, other))


if __name__ == "__main__":
    sys.exit(main())
