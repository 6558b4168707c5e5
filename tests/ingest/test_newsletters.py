"""Addresses that were given to newsletters: what comes to them, and who can make one."""

from __future__ import annotations

import hashlib

import pytest

from directory.names import FabricNames, Timeline
from ingest import newsletters
from ingest.news_room import NewsRoom
from mail.control import CreateSource, Subscribe, WantNewsletter, add_controls, read_controls
from mail.envelope import Arrival, Outgoing
from mail.headers import Headers, split_message
from mail.outcome import Deferred, Delivered, Refused

KEY = bytes(range(32))
LISTED = "List-Unsubscribe: <https://news.example/u/1>\n"


class Post:
    """The room of one host, and alice's newsletter."""

    def __init__(self, host) -> None:  # type: ignore[no-untyped-def]
        self.host = host
        self.room = NewsRoom(lambda: host.directory, KEY)

    def send(self, content: str, detail: str, sender: str = "n@news.example", signed_by: str = ""):  # type: ignore[no-untyped-def]
        octets = content.replace("\n", "\r\n").encode()
        digest, now = hashlib.sha256(octets).hexdigest(), self.host.now
        arrival = Arrival(sender, octets, 0, digest, signed_by, now, now)
        name = Timeline("alice", detail, 0)
        assert self.room.claims(name, arrival)
        return self.host.store.write_now(lambda tx: self.room.receive(tx, arrival, name))

    def want(self, name: str, folder: str = "", drop: bool = False) -> list[Outgoing]:
        asked = add_controls(b"Subject: x\r\n\r\n", WantNewsletter(name, folder, drop, "<q@x>")).decode()
        return list(self.send(asked.replace("\r\n", "\n"), "news", "", "host-2").outgoing)

    @property
    def rows(self) -> list[newsletters.Newsletter]:
        return newsletters.of_account(self.host.store.reader, "alice")


def head(outgoing: Outgoing) -> Headers:
    return Headers.parse(split_message(outgoing.content)[0])


@pytest.fixture
def post(host) -> Post:  # type: ignore[no-untyped-def]
    return Post(host)


def test_a_wish_makes_an_address_and_a_source_that_its_owner_follows(post: Post) -> None:
    control, told = post.want("The Weekly", "News")
    (row,) = post.rows
    create, subscribe = read_controls(head(control))
    assert isinstance(create, CreateSource) and (create.owner, create.title) == ("alice", "The Weekly")
    assert subscribe == Subscribe(row.source, "alice@fabric.test", "News") and row.source.startswith("the-weekly-")
    assert f"alice+news.{row.token}@fabric.test".encode() in told.content and control.signed
    assert len(f"{'x' * 30}+{row.detail}") <= 64 and row.token[:6] not in row.source
    post.want("the weekly", "Other")
    assert [(each.token, each.folder) for each in post.rows] == [(row.token, "Other")]


def test_an_issue_becomes_a_post_with_its_way_out(post: Post) -> None:
    post.want("Weekly")
    (row,) = post.rows
    issue = (
        f"Received: for <alice+news.{row.token}@fabric.test>\nTo: alice+news.{row.token}@fabric.test\n{LISTED}"
        "From: Weekly <n@news.example>\nHeliograph-Authenticated: eve\nSubject: Issue 1\n\nWords.\n"
    )
    (out,) = post.send(issue, row.detail).outgoing
    assert out.recipients[0].address.startswith(f"{row.source}@b") and out.signed
    fields = head(out)
    assert fields.all("heliograph-authenticated") == ["alice"] and fields.get("from") == "Weekly <n@news.example>"
    assert fields.get("heliograph-list-unsubscribe") == "<https://news.example/u/1>"
    assert row.token.encode() not in out.content  # who else follows is not told the address


@pytest.mark.parametrize(
    ("subject", "listed", "first", "for_her"),
    [
        ("Please confirm your subscription", False, True, True),
        ("Please confirm your subscription", True, True, True),
        ("Bitte bestätigen", False, False, True),
        ("Your sign-in code", False, False, True),
        ("Study confirms what we knew", True, False, False),
        ("Code weekly", True, False, False),
        ("482913 is your Weekly code", True, False, True),
        ("Your sign-in link", True, False, True),
        ("Ihr Code: 123456", True, False, True),
        ("2026: the year in code", True, False, False),
        ("Reset your password", True, False, True),
        ("Code review in 2026: what we learnt", True, False, False),
        ("10 passwords that everybody uses", True, False, False),
        ("Backup failed on db-1", False, False, False),
        ("Hello there", False, True, True),
        ("Issue 1", True, True, False),
    ],
)
def test_what_she_must_see_comes_to_her_inbox(
    post: Post, subject: str, listed: bool, first: bool, for_her: bool
) -> None:
    post.want("Weekly")
    (row,) = post.rows
    if not first:
        post.send(f"{LISTED}Subject: Issue 0\n\nWords.\n", row.detail)
    (out,) = post.send(f"{LISTED if listed else ''}Subject: {subject}\n\nWords.\n", row.detail).outgoing
    assert (out.recipients[0].address == post.host.directory.names.timeline("alice")) == for_her
    assert not (for_her and out.signed)


def test_a_command_in_an_issue_is_nobodys_word(post: Post) -> None:
    post.want("Weekly")
    (row,) = post.rows
    (out,) = post.send(f"{LISTED}Subject: unsubscribe\n\n\n", row.detail).outgoing
    assert not out.signed and out.recipients[0].address.startswith("alice@b")


def test_a_newsletter_that_sends_to_itself_is_dropped(post: Post) -> None:
    post.want("Weekly")
    (row,) = post.rows
    own = f"{row.source}@reflectors.fabric.test"
    for back in (f"List-Id: Weekly <{own.replace('@', '.')}>\n", f"X-Loop: {own}\n", f"From: x <{own}>\n"):
        receipt = post.send(f"{back}{LISTED}Subject: Issue\n\nWords.\n", row.detail)
        assert receipt.outcome == Delivered() and not receipt.outgoing
    itself = f"alice+{row.detail}@fabric.test"
    assert not post.send(f"{LISTED}Subject: Issue\n\nWords.\n", row.detail, sender=itself).outgoing


def test_a_flood_waits_at_its_publisher(post: Post) -> None:
    post.want("Weekly")
    (row,) = post.rows
    outcomes = [
        post.send(f"{LISTED}Subject: {n}\n\nWords.\n", row.detail).outcome for n in range(newsletters.PER_DAY_MAX + 5)
    ]
    assert [type(each) for each in outcomes] == [Delivered] * newsletters.PER_DAY_MAX + [Deferred] * 5
    name = Timeline("alice", row.detail, 0)
    assert post.room.is_full(post.host.store.reader, name, post.host.now)
    post.host.now += newsletters.DAY
    assert not post.room.is_full(post.host.store.reader, name, post.host.now)
    assert isinstance(post.send(f"{LISTED}Subject: x\n\nWords.\n", row.detail).outcome, Delivered)


def test_every_other_token_is_unknown_and_a_dropped_one_too(post: Post) -> None:
    post.want("Weekly")
    (row,) = post.rows
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    for place, letter in enumerate(row.token):
        flipped = row.token[:place] + letters[letters.index(letter) ^ 1] + row.token[place + 1 :]
        assert isinstance(post.send("Subject: x\n\nx", f"news.{flipped}").outcome, Refused)
        assert not post.room.knows(post.host.store.reader, Timeline("alice", f"news.{flipped}", 0))
    assert not post.room.knows(post.host.store.reader, Timeline("bob", row.detail, 0))  # hers, not his
    other = newsletters.new_token(bytes(32), "alice", "Weekly", "<q@x>", post.host.now)
    assert other != newsletters.new_token(KEY, "alice", "Weekly", "<q@x>", post.host.now) == row.token
    post.want("weekly", drop=True)
    assert isinstance(post.send("Subject: x\n\nx", row.detail).outcome, Refused)


def test_a_stranger_wishes_for_nothing(post: Post) -> None:
    wish = add_controls(b"Subject: x\r\n\r\n", WantNewsletter("Weekly"))
    name = Timeline("alice", "news", 0)
    assert not post.room.claims(name, Arrival("x@y.example", wish, 0))
    vouched = Arrival("x@y.example", b"Heliograph-Authenticated: eve\r\n" + wish, 0, signed_by="host-1")
    assert not post.room.claims(name, vouched)


def test_an_account_has_so_many_addresses_and_no_more(post: Post) -> None:
    for number in range(newsletters.NEWSLETTERS_MAX):
        post.want(f"Letter {number}")
    (told,) = post.want("One more")
    assert b"drop one first" in told.content and len(post.rows) == newsletters.NEWSLETTERS_MAX


def test_names_of_sources_are_entities() -> None:
    names = FabricNames("fabric.test", 64)
    for said in ("The Weekly", "日本", "x", "root", "a" * 40, "-", "news"):
        row = newsletters.new("a" * 24, "alice", said, "", 0.0)
        assert names.reflector(row.source) and len(row.source) <= 30
