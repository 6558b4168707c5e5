"""Dovecot keeps the mailboxes, as docs/dovecot.md has it: the demo, folders, many followers at once, full mailboxes."""

from __future__ import annotations

import contextlib
import imaplib
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from heliograph.demo.__main__ import settings, tell
from heliograph.demo.chapters import CHAPTERS
from heliograph.demo.heirs import the_lost_host
from heliograph.demo.people import Person
from heliograph.demo.stage import PASSWORD, Stage, stage
from heliograph.demo.story import Story
from mailbox_host.passwords import hash_password
from tests.peers import beside

pytestmark = [
    pytest.mark.peers,
    pytest.mark.timeout(600),
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
        # A standby's copy holds no mailboxes where Dovecot has them: what of them outlives a host is Dovecot's affair.
        tell(story, here, scenery, chapters=[chapter for chapter in CHAPTERS if chapter is not the_lost_host])
        said = (folder / "log").read_text()
    assert not story.failed, "\n".join([*told, said[-4000:]])
    assert "saved mail to INBOX" in said


QUOTA = "plugin {\n  quota_rule = *:storage=100K\n}\n"
QUOTA_2_4 = "quota_storage_size = 100K\nquota_storage_grace = 0\n"  # it would be 10 MB
READERS = tuple(f"reader-{number}" for number in range(30))


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[Stage, Path]]:
    """One host and a Dovecot with small quotas."""
    lmtp, imaps = beside.free_port(), beside.free_port()
    with ExitStack() as scenery:
        here = scenery.enter_context(stage(hosts=1, settings=lambda text, net: elsewhere(text, net, lmtp)))
        here.add_people("alice", "bob", "carol")
        hashed = hash_password(PASSWORD.encode())
        (here.root / "readers").write_text("".join(f"{name}:{hashed}\n" for name in READERS))
        here.ask("account", "import", str(here.root / "readers"))
        here.start()
        folder = scenery.enter_context(
            beside.dovecot(here, lmtp, imaps, QUOTA_2_4 if beside.is_dovecot_2_4() else QUOTA)
        )
        here.imap_at = here.address(1), imaps
        yield here, folder


def test_a_follow_has_its_folder(place: tuple[Stage, Path]) -> None:
    here, _ = place
    alice, bob, source = Person(here, "alice"), Person(here, "bob"), f"bob@reflectors.{here.config.domain}"
    alice.send(source, 'subscribe folder="Evening Papers/London"')
    assert alice.wait_for(lambda letter: letter.subject == "You follow bob")
    bob.send(source, "Fog in the channel")
    give_up, found = time.monotonic() + 15, list[str]()
    while not found and time.monotonic() < give_up:
        with contextlib.suppress(imaplib.IMAP4.error):  # the folder is made with its first post
            found = [letter.subject for letter in alice.letters('"Evening Papers/London"')]
    assert found == ["Fog in the channel"]
    assert "Fog in the channel" not in [letter.subject for letter in alice.letters()]


def test_a_post_to_many_is_one_transaction(place: tuple[Stage, Path]) -> None:
    here, folder = place
    source = f"carol@reflectors.{here.config.domain}"
    for name in READERS:
        assert Person(here, name).send(source, "subscribe")[0] == 250
    assert Person(here, READERS[-1]).wait_for(lambda letter: letter.subject == "You follow carol", 30)
    Person(here, "carol").send(source, "To many", "unmistakable")
    last = Person(here, READERS[-1])
    assert last.wait_for_subject("To many")
    kept = [path for path in (folder / "mail").rglob("*,S=*") if "unmistakable" in path.read_text(errors="replace")]
    lines = re.findall(r"lmtp\((reader-\d+)\)<\d+><([^:>]+:T\d+)[:>].*saved mail", (folder / "log").read_text())
    transactions = Counter(transaction for _, transaction in lines)
    assert len(kept) == len(READERS) and max(transactions.values()) == len(READERS)


ODD = ("v1.2 news", "one+two", "Zeitung f\u00fcr alle", "../../x", "~root", "a*b%c", "inbox/x", "x" * 70)


def test_a_folder_that_cannot_be_named_or_made_loses_no_post(place: tuple[Stage, Path]) -> None:
    here, folder = place
    source = f"alice@reflectors.{here.config.domain}"
    for name, odd in zip(READERS, ODD, strict=False):
        assert Person(here, name).send(source, f'subscribe folder="{odd}"')[0] == 250
        assert Person(here, name).wait_for(lambda letter: letter.subject == "You follow alice", 30)
    Person(here, "alice").send(source, "In whatever folder", "unmistakably odd")
    wanted, kept = sorted(READERS[: len(ODD)]), list[str]()
    give_up = time.monotonic() + 20
    while kept != wanted and time.monotonic() < give_up:
        time.sleep(0.2)
        paths = (folder / "mail").rglob("*,S=*")
        kept = sorted(name_of(path, folder) for path in paths if "unmistakably odd" in path.read_text(errors="replace"))
    assert kept == wanted, (folder / "log").read_text()[-4000:]


def name_of(path: Path, folder: Path) -> str:
    """Whose mail a file is."""
    return path.relative_to(folder / "mail").parts[0]


def test_who_is_over_quota_is_refused_at_the_door(place: tuple[Stage, Path]) -> None:
    here, _ = place
    to, content = f"bob@{here.config.domain}", ("y" * 70 + "\n") * 900
    said = [Person(here, "alice").send(to, f"large {number}", content) for number in range(2)]
    assert said[0][0] == 250
    give_up = time.monotonic() + 20
    while said[-1][0] == 250 and time.monotonic() < give_up:  # an answer of before is remembered for a while
        time.sleep(0.3)
        said = [Person(here, "carol").send(f"bob+{time.monotonic_ns()}@{here.config.domain}", "more", content)]
    report = Person(here, "alice").wait_for(lambda letter: "5.2.2" in letter.text, 5)
    assert (said[-1][0] >= 500 and "5.2.2" in said[-1][1]) or report, said
