"""A seal's word through Postfix in front: it holds over LMTP, as docs/postfix.md has it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from heliograph.demo.outside import foreign_mailbox
from heliograph.demo.people import Person
from heliograph.demo.stage import stage
from tests.fabric.town import OUTSIDE
from tests.peers import beside
from tests.peers.test_postfix import outwards
from tests.proof.seals import RECORDS, sealed, written
from tests.spool.dns_server import Names

pytestmark = [
    pytest.mark.peers,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not beside.is_installed(), reason="as root, with postfix: scripts/peers installs it"),
]


@contextmanager
def name_server() -> Iterator[str]:
    """The zone of elsewhere.example, answered from a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    names = asyncio.run_coroutine_threadsafe(Names(RECORDS).__aenter__(), loop).result()
    yield names.address
    loop.call_soon_threadsafe(names._transport.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def test_who_is_proven_is_heard_through_it() -> None:
    port, zoe, home = beside.free_port(), f"zoe@{OUTSIDE}", f"bob.home@{OUTSIDE}"
    to, posts = "bob+subscribe@reflectors.fabric.test", "bob@reflectors.fabric.test"
    with ExitStack() as scenery:
        asked = scenery.enter_context(name_server())

        def settings(text: str, net: str) -> str:
            return outwards(text, net, port).replace("[smtp]\n", f'[smtp]\nresolver = "{asked}"\n', 1)

        here = scenery.enter_context(stage(hosts=1, settings=settings))
        here.add_people("bob")
        here.start()
        scenery.enter_context(beside.postfix(here, port, "The way out", "The way in"))
        here.mail_in = here.address(1), port
        mailbox = scenery.enter_context(foreign_mailbox(here))
        assert mailbox.say(sealed(written(zoe, to, "subscribe")), zoe, to, "")[0] == 250
        assert mailbox.wait_for("zoe", lambda letter: letter.subject == "You follow bob")

        assert Person(here, "bob").send("bob+senders@reflectors.fabric.test", f"add {home}")[0] == 250
        assert mailbox.wait_for("bob.home", lambda letter: letter.subject.startswith("Please confirm"))
        content = next(content for _, names, content in mailbox.mail if home in names)
        token = content.partition(b"Reply-To: ")[2].partition(b"\r\n")[0].decode()
        assert mailbox.say(written(home, token, "Re: yes"), home, token, "")[0] == 250
        assert mailbox.wait_for("bob.home", lambda letter: "posts to" in letter.subject)
        for content in (written(home, posts, "Forged"), sealed(written(home, posts, "From the beach"))):
            assert mailbox.say(content, home, posts, "")[0] == 250
        assert mailbox.wait_for("zoe", lambda letter: letter.subject == "From the beach")
        give_up = time.monotonic() + 15
        while "dropped peer=" not in here.log() and time.monotonic() < give_up:
            time.sleep(0.1)
        assert [letter.subject for letter in mailbox.letters("zoe")] == ["You follow bob", "From the beach"]
