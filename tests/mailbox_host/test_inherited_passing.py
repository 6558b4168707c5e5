"""Who moved away from a host before it was lost: its heir sends posts after them, and tells the lists."""

from __future__ import annotations

from dataclasses import replace

from directory.names import FabricNames
from directory.snapshot import Directory, HostRecord
from mail.control import Welcome, read_controls
from mail.envelope import Arrival
from mail.headers import Headers, split_message
from mail.tree_control import Moved, PassOn
from mailbox_host import inheriting, passing, straying, timeline
from mailbox_host.follows import OPEN
from tests.mailbox_host.house import NOW, House, letter

NAMES = FabricNames("fabric.test", 16)
LOST, HEIR, THIRD = "host-1", "host-2", "host-3"


def zone() -> Directory:
    hosts = {name: HostRecord(name, "127.0.0.1", b"\0" * 32) for name in (LOST, HEIR, THIRD)}
    owners = (THIRD,) * NAMES.buckets
    former = {("timeline", bucket): frozenset({LOST}) for bucket in range(NAMES.buckets)}
    return Directory(NAMES, 1, hosts, owners, owners, former=former, lost={LOST: HEIR})


def test_the_heir_tells_lists_of_who_had_moved_before() -> None:
    lost, heir = House(), House()
    lost.move_in("alice", "carol")
    heir.move_in("carol")
    for name, to in (("alice", THIRD), ("carol", HEIR)):
        timeline.welcome(lost.tx, name, Welcome("bob", 1, 7, "News"), NOW)
        passing.leave(lost.tx, [name], to)
    inheriting.put_passed(heir.tx, inheriting.read_passed(lost.tx), HEIR, NOW)
    assert passing.passed_to(heir.tx, "bob", 9) == [THIRD]
    (mail,) = passing.ask(heir.tx, NAMES, 1, HEIR, NOW)
    head, body = split_message(mail.content)
    assert read_controls(Headers.parse(head)) == [Moved("bob", 1, 1, HEIR)] and body == b"alice 1 7 News\r\n"
    assert passing.ask(heir.tx, NAMES, 1, HEIR, NOW + 60) == ()


def test_an_heir_is_believed_as_the_lost_host_was() -> None:
    assert zone().spoke_for("timeline", 3, HEIR) and zone().spoke_for("timeline", 3, THIRD)
    assert not replace(zone(), lost={}).spoke_for("timeline", 3, HEIR)


def test_a_leaf_sends_nothing_after_anybody_on_a_strangers_word() -> None:
    """Who does not speak for her timeline is put off; who lives here has the log."""
    here = House()
    here.move_in("dora")
    here.log("bob", 1)
    asked = PassOn("bob", LOST, "alice", 1, OPEN, 7)
    by = Arrival("", b"", 0, now=NOW)
    assert straying.take(here.tx, zone(), replace(by, signed_by=HEIR), asked).outcome.code == 451
    for word in (replace(asked, who="dora"), replace(asked, from_=0), replace(asked, until=1)):
        straying.take(here.tx, zone(), replace(by, signed_by=THIRD), word)
    assert not passing.passed_to(here.tx, "bob", 1) and not straying.is_due(here.tx)
    straying.take(here.tx, zone(), replace(by, signed_by=THIRD), asked)
    (mail,) = straying.send_after(here.tx, zone(), LOST)
    assert [one.address for one in mail.recipients] == [NAMES.leaf("bob", THIRD)] and not straying.is_due(here.tx)


def test_large_posts_are_sent_after_somebody_a_few_at_a_time() -> None:
    here = House()
    for post in range(1, 6):
        here.log("bob", post)
    here.tx.execute("UPDATE post_log SET size = ?", (straying.OCTETS_AT_ONCE // 2,))
    asked = PassOn("bob", LOST, "alice", 1, OPEN, 7)
    straying.take(here.tx, zone(), Arrival("", b"", 0, now=NOW, signed_by=THIRD), asked)
    sent = []
    while straying.is_due(here.tx):
        sent.append(len(straying.send_after(here.tx, zone(), LOST)))
    assert sent == [2, 2, 1]


def test_a_log_is_read_as_much_at_once_as_was_said() -> None:
    here = House()
    for post in range(1, 6):
        here.log("bob", post)
    after, found = 0, []
    while rows := inheriting.read_log(here.tx, after, 0.0, 3, 2 * len(letter("bob 1"))):
        after = rows[-1].seq
        found.append([row.post for row in rows])
    assert found == [[1, 2], [3, 4], [5]]
    assert len(inheriting.read_log(here.tx, 0, 0.0, 3, 1)) == 1
