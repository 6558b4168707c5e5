"""Postfix as the way out and the way in, as docs/postfix.md has it: the demo's whole story, and what forgers try."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from heliograph.demo.__main__ import settings, tell
from heliograph.demo.outside import DOMAIN, MAIL_PORT, PLACE
from heliograph.demo.stage import stage
from heliograph.demo.story import Story
from tests.peers import beside

pytestmark = [
    pytest.mark.peers,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not beside.is_installed(), reason="as root, with postfix: scripts/peers installs it"),
]


def outwards(text: str, net: str, port: int) -> str:
    """The demo's configuration, with the page's way out instead of its relay."""
    text = settings(text, net).replace(f'"{DOMAIN}" = "{net.replace("0/24", str(PLACE))}:{MAIL_PORT}"\n', "")
    return text.replace("[smtp]\n", "[smtp]\n" + beside.placed(_smarthost(), net, "", {"25": port}))


def _smarthost() -> str:
    return beside.blocks("postfix.md", "heliograph.toml", "The way out").replace("[smtp]\n", "")


def test_the_demo_with_postfix_before_and_behind_the_fabric() -> None:
    told: list[str] = []
    story, port = Story(told=told.append), beside.free_port()
    with ExitStack() as scenery:
        here = scenery.enter_context(stage(settings=lambda text, net: outwards(text, net, port)))
        log = scenery.enter_context(beside.postfix(here, port, "The way out", "The way in"))
        here.mail_in = here.address(1), port
        tell(story, here, scenery)
        said = log.read_text()
    assert not story.failed, "\n".join([*told, said[-4000:]])
    assert "relay=" in said and "lmtp[" in said and "smtp[" in said
    print("\n".join(told[-3:]))
