"""Dovecot keeps the mailboxes, as docs/dovecot.md has it: the demo, folders, many followers at once, full mailboxes."""

from __future__ import annotations

import shutil
from contextlib import ExitStack

import pytest

from heliograph.demo.__main__ import settings, tell
from heliograph.demo.stage import stage
from heliograph.demo.story import Story
from tests.peers import beside

pytestmark = [
    pytest.mark.peers,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("dovecot") is None, reason="with dovecot-lmtpd: scripts/peers installs it"),
]


def elsewhere(text: str, net: str, port: int) -> str:
    """The page's line for the configuration."""
    line = beside.placed(beside.blocks("dovecot.md", "heliograph.toml"), net, "", {"24": port})
    return text.replace("[mailboxes]\n", line)


def test_the_demo_with_mailboxes_at_dovecot() -> None:
    told: list[str] = []
    story, lmtp, imaps = Story(told=told.append), beside.free_port(), beside.free_port()
    with ExitStack() as scenery:
        here = scenery.enter_context(stage(settings=lambda text, net: elsewhere(settings(text, net), net, lmtp)))
        folder = scenery.enter_context(beside.dovecot(here, lmtp, imaps))
        here.imap_at = here.address(1), imaps
        tell(story, here, scenery)
        said = (folder / "log").read_text()
    assert not story.failed, "\n".join([*told, said[-4000:]])
    assert "saved mail to INBOX" in said
