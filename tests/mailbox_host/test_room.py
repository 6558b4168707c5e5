"""The room's answers: what becomes of posts, controls and personal mail, from whom."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from directory.names import FabricNames, Leaf, Reflector, Timeline
from directory.snapshot import Directory
from mail.control import Goodbye, KeepSent, Sift, Subscribe, TellFollows, Welcome, add_controls
from mail.envelope import Arrival
from mail.headers import add_headers
from mail.outcome import Deferred, Delivered, Outcome, Refused
from mailbox_host import folders, quota, timeline
from mailbox_host.bell import Bell
from mailbox_host.follows import FOLLOWS_MAX, GENERATIONS_MAX
from mailbox_host.repeats import SEEN_SECONDS
from mailbox_host.room import FULL, TOO_LARGE, MailboxRoom
from store import Bodies
from tests.mailbox_host.house import NOW, House, letter

NAMES = FabricNames("fabric.test", 64)


class Place(House):
    """A house with its room, on host-1; bob's reflector is on host-2, dora's on host-1."""

    def __init__(self) -> None:
        super().__init__()
        self.move_in("alice", "carol")
        reflectors = ["host-3"] * 64
        reflectors[NAMES.bucket("bob")], reflectors[NAMES.bucket("dora")] = "host-2", "host-1"
        self.zone = Directory(NAMES, 1, {}, ("host-1",) * 64, tuple(reflectors))
        self.bell = Bell()
        self.room = MailboxRoom("host-1", lambda: self.zone, self.bell)
        self.now = NOW

    def receive(
        self, name: Timeline | Leaf, content: bytes, signed_by: str = "", sender: str = "x@y.test", envid: str = ""
    ) -> Outcome:
        body = Bodies.keep(self.tx, content)
        envid = envid or hashlib.sha256(content).hexdigest()
        arrival = Arrival(sender, content, body, envid, signed_by, self.now, self.now)
        receipt = self.room.receive(self.tx, arrival, name)
        Bodies.release(self.tx, body)
        assert receipt.outgoing == ()
        self.check()
        return receipt.outcome

    def rung(self, account: str, *sources: str) -> list[str]:
        """Commit, as the store would; return who was woken."""
        woken: list[str] = []
        listener = self.bell.listen(account, sources, lambda: woken.append(account))
        callbacks, self.tx.callbacks[:] = list(self.tx.callbacks), []
        for callback in callbacks:
            callback()
        listener.close()
        return woken

    def log_rows(self) -> list[tuple[str, int]]:
        return self.tx.all("SELECT source, post FROM post_log ORDER BY seq")


def person(name: str, detail: str = "") -> Timeline:
    return Timeline(name, detail, NAMES.bucket(name))


def post(source: str, number: int | str, **extra: str) -> bytes:
    fields = [("Heliograph-Source", source), ("Heliograph-Post", str(number)), *extra.items()]
    return add_headers(letter(f"{source} {number}"), fields)


def welcome(source: str, from_: int, generation: int, folder: str = "INBOX") -> bytes:
    return add_controls(letter("welcome"), Welcome(source, from_, generation, folder))


@pytest.fixture
def place() -> Place:
    return Place()


def test_personal_mail_is_in_inbox_at_once_and_rings(place: Place) -> None:
    assert place.receive(person("alice", "lists"), letter("hello")) == Delivered()
    assert place.rung("alice") == ["alice"]
    assert place.subjects("alice") == ["hello"]


def test_the_same_mail_twice_is_filed_once_for_fourteen_days(place: Place) -> None:
    for _ in range(2):
        assert isinstance(place.receive(person("alice"), letter("hello"), envid="1"), Delivered)
    place.receive(person("carol"), letter("hello"), envid="1")
    place.receive(person("alice"), letter("hello"), envid="1", sender="other@y.test")
    place.receive(person("alice"), letter("hello"), envid="2")
    assert place.subjects("alice") == ["hello"] * 3 and place.subjects("carol") == ["hello"]
    place.now += SEEN_SECONDS + 1
    place.receive(person("alice"), letter("hello"), envid="1")
    assert len(place.subjects("alice")) == 4
    assert len(place.tx.all("SELECT 1 FROM seen")) == 1  # what is older went in passing


def test_what_was_seen_is_trimmed_a_little_at_a_time(place: Place) -> None:
    for n in range(40):
        place.receive(person("alice"), letter("x"), envid=f"old {n}")
    place.now += SEEN_SECONDS + 1
    left = []
    for n in range(6):
        place.receive(person("alice"), letter("x"), envid=f"new {n}")
        left.append(len(place.tx.all("SELECT 1 FROM seen WHERE at < ?", (place.now,))))
    assert left == [32, 24, 16, 8, 0, 0]


def test_nobody_here_by_that_name(place: Place) -> None:
    assert place.receive(person("nobody"), letter("hello")) == Refused("5.1.1 No such user here")
    assert place.receive(person("nobody"), post("bob", 1), "host-2") == Refused("5.1.1 No such user here")
    assert place.receive(Leaf("bob", "host-2"), post("bob", 1), "host-2") == Refused("5.1.1 No such user here")
    reader = place.tx
    assert place.room.knows(reader, person("alice")) and not place.room.knows(reader, person("nobody"))  # type: ignore[arg-type]
    assert place.room.knows(reader, Leaf("bob", "host-1")) and not place.room.knows(reader, Leaf("bob", "host-2"))  # type: ignore[arg-type]
    assert not place.room.knows(reader, Reflector("alice", "", 0))  # type: ignore[arg-type]


def test_a_welcome_makes_a_follower_and_is_not_shown(place: Place) -> None:
    assert place.receive(person("alice"), welcome("bob", 3, 1, "News"), "host-2") == Delivered()
    assert place.rung("alice") == ["alice"]
    assert place.subjects("alice") == [] == place.subjects("alice", "News")
    (follow,) = timeline.follows(place.tx, "alice")
    assert (follow.source, follow.from_post, follow.generation, follow.folder) == ("bob", 3, 1, "News")
    assert follow.is_open and timeline.followed_sources(place.tx, "alice") == ["bob"]
    goodbye = add_controls(letter("goodbye"), Goodbye("bob", 5, 2))
    assert place.receive(person("alice"), goodbye, "host-2") == Delivered()
    assert [f.until_post for f in timeline.follows(place.tx, "alice")] == [5]


def test_a_post_to_the_leaf_is_one_row_and_wakes_its_followers(place: Place) -> None:
    for name in ("alice", "carol"):
        place.receive(person(name), welcome("bob", 1, 1), "host-2")
    place.rung("alice")
    assert place.receive(Leaf("bob", "host-1"), post("bob", 1), "host-2") == Delivered()
    assert place.rung("alice", "bob") == ["alice"]
    assert place.receive(Leaf("bob", "host-1"), post("bob", 1), "host-2") == Delivered()
    assert place.rung("alice", "bob") == [] == place.rung("alice", "dora")
    assert place.log_rows() == [("bob", 1)] and place.subjects("alice") == []
    for name in ("alice", "carol"):
        assert place.look(name) == 1 and place.subjects(name) == ["bob 1"]


def test_next_door_to_the_reflector_a_post_that_nobody_follows_is_not_kept(place: Place) -> None:
    assert place.receive(Leaf("bob", "host-1"), post("bob", 1), "host-1") == Delivered()
    place.receive(person("alice"), welcome("bob", 1, 1), "host-2")
    place.receive(person("alice"), add_controls(letter("x"), Goodbye("bob", 3, 2)), "host-2")
    assert place.receive(Leaf("bob", "host-1"), post("bob", 3), "host-1") == Delivered()
    assert place.receive(Leaf("bob", "host-1"), post("bob", 2), "host-1") == Delivered()  # late, but hers
    assert place.log_rows() == [("bob", 2)]


def test_a_post_for_all_of_a_host_is_kept_for_welcomes_that_come_after_it(place: Place) -> None:
    assert place.receive(Leaf("bob", "host-1"), post("bob", 1), "host-2") == Delivered()
    place.receive(person("alice"), welcome("bob", 1, 1), "host-2")
    place.look("alice")
    assert place.subjects("alice") == ["bob 1"]


def test_a_post_to_one_timeline_waits_for_a_look_only_where_she_follows(place: Place) -> None:
    place.receive(person("alice"), welcome("bob", 5, 1, "News"), "host-2")
    place.rung("alice")
    for number in (4, 5):
        assert place.receive(person("alice"), post("bob", number), "host-2") == Delivered()
    assert place.subjects("alice") == ["bob 4"] and place.subjects("alice", "News") == []
    assert place.rung("alice") == ["alice"]
    assert place.look("alice") == 1 and place.subjects("alice", "News") == ["bob 5"]
    place.receive(person("alice"), welcome("bob", 1, 2), "host-2")
    place.receive(person("alice"), post("bob", 4), "host-2")
    assert place.look("alice") == 0 and place.subjects("alice") == ["bob 4"]
    assert place.log_rows() == [("bob", 4), ("bob", 5)]
    assert len(place.tx.all("SELECT 1 FROM event WHERE kind = 'filed'")) == 2


@pytest.mark.parametrize("signed_by", ["host-3", "host-1"])
def test_only_the_owner_of_a_source_or_this_host_speaks_for_it(place: Place, signed_by: str) -> None:
    trusted = signed_by == "host-1"  # what comes from a room of this very host
    mails: list[tuple[Timeline | Leaf, bytes]] = [
        (person("alice"), welcome("bob", 1, 1)),
        (person("alice"), add_controls(letter("x"), Goodbye("bob", 9, 2))),
        (person("alice"), post("bob", 1)),
        (Leaf("bob", "host-1"), post("bob", 2)),
    ]
    for name, content in mails:
        outcome = place.receive(name, content, signed_by)
        assert isinstance(outcome, Delivered if trusted else Deferred)
        if isinstance(outcome, Deferred):
            assert outcome.code == 451 and outcome.text.startswith("4.7.1 ")
    assert bool(place.log_rows()) == bool(timeline.follows(place.tx, "alice")) == trusted


def test_one_control_that_is_not_the_signers_stops_all(place: Place) -> None:
    both = add_controls(letter("x"), Welcome("dora", 1, 1), Welcome("bob", 1, 1))
    assert isinstance(place.receive(person("alice"), both, "host-2"), Deferred)
    assert timeline.follows(place.tx, "alice") == []


def test_unsigned_fabric_fields_are_not_believed(place: Place) -> None:
    """They are stripped at the door; should one slip through, it is mail like any other."""
    for content in (welcome("bob", 1, 1), post("bob", 1)):
        assert place.receive(person("alice"), content) == Delivered()
    refused = place.receive(Leaf("bob", "host-1"), post("bob", 1))
    assert isinstance(refused, Refused) and refused.text.startswith("5.7.1")
    assert timeline.follows(place.tx, "alice") == [] == place.log_rows()
    assert len(place.subjects("alice")) == 2


def test_what_a_signed_in_user_sends_is_never_a_post_or_a_control(place: Place) -> None:
    """Their host signs it too, with their name on it."""
    for content in (welcome("dora", 1, 1), post("dora", 1)):
        signed = add_headers(content, [("Heliograph-Authenticated", "carol")])
        assert place.receive(person("alice"), signed, "host-1") == Delivered()
        assert isinstance(place.receive(Leaf("dora", "host-1"), signed, "host-1"), Refused)
    assert timeline.follows(place.tx, "alice") == [] == place.log_rows()


@pytest.mark.parametrize("number", ["0", "-1", "x", "", "1" * 19, "１"])
def test_a_post_without_a_number_is_refused(place: Place, number: str) -> None:
    for name in (person("alice"), Leaf("bob", "host-1")):
        outcome = place.receive(name, post("bob", number), "host-2")
        assert isinstance(outcome, Refused) and outcome.text.startswith("5.6.0")
    assert isinstance(place.receive(Leaf("bob", "host-1"), post("dora", 1), "host-2"), Refused)


def test_a_control_of_tomorrow_waits_and_one_for_others_does_nothing(place: Place) -> None:
    strange = add_headers(letter("x"), [("Heliograph-Control", "transmogrify source=bob")])
    assert isinstance(place.receive(person("alice"), strange, "host-2"), Deferred)
    elsewhere = add_controls(letter("x"), Subscribe("bob", "alice@fabric.test"))
    assert place.receive(person("alice"), elsewhere, "host-2") == Delivered()
    assert place.subjects("alice") == [] == timeline.follows(place.tx, "alice")


def test_there_is_an_end_to_following(place: Place) -> None:
    owner = place.tx.one("SELECT id FROM account WHERE name = 'alice'")
    assert owner
    rows = [(owner[0], f"s{n}", place.folder("alice")) for n in range(FOLLOWS_MAX)]
    place.tx.executemany("INSERT INTO follow VALUES (?, ?, 1, 1, 99, ?, 0)", rows)
    outcome = place.receive(person("alice"), welcome("bob", 1, 1), "host-2")
    assert isinstance(outcome, Refused) and outcome.code == 552
    assert len(timeline.follows(place.tx, "alice")) == FOLLOWS_MAX


def test_following_and_leaving_for_ever_keeps_the_newest_generations(place: Place) -> None:
    for generation in range(1, 201, 2):
        timeline.welcome(place.tx, "alice", Welcome("bob", generation, generation), NOW)
        timeline.goodbye(place.tx, "alice", Goodbye("bob", generation + 1, generation + 1))
    timeline.welcome(place.tx, "alice", Welcome("bob", 1, 1), NOW)  # a repeat from long ago
    timeline.welcome(place.tx, "alice", Welcome("bob", 201, 201), NOW)
    rows = place.tx.all("SELECT generation FROM follow ORDER BY generation")
    assert [row[0] for row in rows] == list(range(202 - GENERATIONS_MAX, 202))
    for number in (1, 199, 200, 201, 500):
        place.log("bob", number)
    place.look("alice")
    assert place.subjects("alice") == ["bob 199", "bob 201", "bob 500"]


def steps(place: Place, work: Callable[[], object]) -> int:
    """Count the steps of SQLite's machine that some work takes."""
    count = [0]

    def step() -> int:
        count[0] += 1
        return 0

    place.tx.connection.set_progress_handler(step, 1)
    work()
    place.tx.connection.set_progress_handler(None, 0)
    return count[0]


def test_a_post_costs_the_same_for_one_follower_and_for_a_thousand() -> None:
    costs, rows = [], []
    for followers in (1, 1000):
        place = Place()
        people = [f"reader{n}" for n in range(followers)]
        place.move_in(*people)
        for name in people:
            timeline.welcome(place.tx, name, Welcome("bob", 1, 1), NOW)
        content = post("bob", 1)
        body = Bodies.keep(place.tx, content)
        arrival = Arrival("", content, body, "", "host-2", NOW, NOW)
        costs.append(steps(place, lambda: place.room.receive(place.tx, arrival, Leaf("bob", "host-1"))))  # noqa: B023
        rows.append(len(place.log_rows()))
    assert rows == [1, 1]
    assert costs[1] == costs[0] < 500


def test_catching_up_does_not_walk_through_a_long_log_of_others() -> None:
    costs = []
    for others in (10, 2000):
        place = Place()
        timeline.welcome(place.tx, "alice", Welcome("bob", 1, 1), NOW)
        for number in range(others):
            place.log("dora", number + 1)
        place.log("bob", 1)
        costs.append(steps(place, lambda: timeline.catch_up(place.tx, "alice")))  # noqa: B023
        assert place.subjects("alice") == ["bob 1"]
    assert costs[1] < costs[0] + 50


def test_a_post_that_nobody_here_follows_costs_the_same_among_a_thousand_follows_of_others() -> None:
    costs = []
    for followers in (1, 1000):
        place = Place()
        rows = [(n, "dora", 1) for n in range(followers)]
        place.tx.executemany("INSERT INTO follow VALUES (?, ?, 1, ?, 99, 1, 0)", rows)
        costs.append(steps(place, lambda: timeline.anyone_follows(place.tx, "bob", 1)))  # noqa: B023
    assert costs[1] == costs[0]


def test_catching_up_does_not_walk_through_what_it_has_filed() -> None:
    costs = []
    for old in (10, 2000):
        place = Place()
        timeline.welcome(place.tx, "alice", Welcome("bob", 1, 1), NOW)
        for number in range(old):
            place.log("bob", number + 1)
        place.look("alice")
        place.log("bob", old + 1)
        looking = steps(place, lambda: timeline.behind(place.tx, "alice"))  # noqa: B023
        costs.append(looking + steps(place, lambda: timeline.catch_up(place.tx, "alice")))  # noqa: B023
        assert len(place.subjects("alice")) == old + 1
    assert costs[1] < costs[0] + 50


def test_a_welcome_does_not_walk_through_all_that_its_source_ever_posted() -> None:
    costs = []
    for old in (10, 2000):
        place = Place()
        for number in range(old):
            place.log("bob", number + 1)
        timeline.catch_up(place.tx, "alice")
        for generation in (1, 2):  # one who follows already, too
            word = Welcome("bob", old - generation, generation)
            costs.append(steps(place, lambda: timeline.welcome(place.tx, "alice", word, NOW)))  # noqa: B023
        assert place.subjects("alice") == [f"bob {old - 1}", f"bob {old}", f"bob {old - 2}"]
        timeline.welcome(place.tx, "carol", Welcome("bob", 1, 1), NOW)
        costs.append(steps(place, lambda: timeline.welcome(place.tx, "carol", Welcome("bob", 9999, 2), NOW)))  # noqa: B023
    assert all(long < short + 50 for short, long in zip(costs[:3], costs[3:], strict=True))


def test_where_two_welcomes_cover_a_post_the_newer_names_the_folder(place: Place) -> None:
    for generation, folder in ((1, "Old"), (3, "Newest"), (2, "New")):
        timeline.welcome(place.tx, "alice", Welcome("bob", 1, generation, folder), NOW)
    place.log("bob", 1)
    place.look("alice")
    assert place.subjects("alice", "Newest") == ["bob 1"]


def test_a_cursor_that_lags_far_is_moved_even_where_nothing_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "LAG_MAX", 5)
    place = Place()
    for number in range(5):
        place.log("dora", number + 1)
    assert not timeline.behind(place.tx, "alice")
    place.log("dora", 6)
    assert timeline.behind(place.tx, "alice")
    assert timeline.catch_up(place.tx, "alice") == 0 and not timeline.behind(place.tx, "alice")


def test_the_log_never_gives_a_sequence_number_again(place: Place) -> None:
    timeline.welcome(place.tx, "alice", Welcome("bob", 1, 1), NOW)
    place.log("bob", 1)
    place.look("alice")
    row = place.tx.one("DELETE FROM post_log RETURNING body")  # retention will do this
    assert row
    Bodies.release(place.tx, row[0])
    place.log("bob", 2)
    assert place.look("alice") == 1 and place.subjects("alice") == ["bob 1", "bob 2"]


def test_a_full_mailbox_takes_posts_and_puts_letters_off_without_a_trace(place: Place) -> None:
    place.receive(person("alice"), letter("first"), envid="1")
    quota.set_limits(place.tx, "alice", len(letter("first")) + 9, None)
    for _ in range(2):
        assert place.receive(person("alice"), letter("second"), envid="2") == FULL
    assert isinstance(place.receive(person("alice"), letter("first"), envid="1"), Delivered)  # a repeat is no news
    larger = letter("large", "x" * 200)
    assert place.receive(person("alice"), larger, envid="3") == TOO_LARGE  # and for that nobody waits five days
    place.receive(person("alice"), welcome("dora", 1, 1), "host-1")
    assert isinstance(place.receive(person("alice"), post("dora", 1), "host-1"), Delivered)
    assert place.look("alice") == 1
    quota.set_limits(place.tx, "alice", 0, None)
    for _ in range(2):
        assert isinstance(place.receive(person("alice"), letter("second"), envid="2"), Delivered)
    assert place.subjects("alice") == ["first", "dora 1", "second"]


def test_a_copy_of_what_was_sent_is_kept_once_and_only_on_a_hosts_word(place: Place) -> None:
    copied = add_controls(letter("mine"), KeepSent("alice"))
    for _ in range(2):
        assert place.receive(person("alice"), copied, "host-7", envid="1") == Delivered()
        place.receive(person("alice"), letter("mine"), envid="1")  # she wrote to herself as well
    assert place.subjects("alice", "Sent") == ["mine"] and place.subjects("alice") == ["mine"]
    place.receive(person("carol"), copied, "host-7")  # of another's letter
    assert place.subjects("carol") == place.subjects("carol", "Sent") == []
    place.receive(person("carol"), add_controls(letter("said"), KeepSent("carol")), envid="4")  # by nobody's word
    assert place.subjects("carol") == ["said"] and place.subjects("carol", "Sent") == []
    for folder in ("Sent", "Archive"):
        folders.delete_folder(place.tx, "alice", folder)
    place.receive(person("alice"), copied, "host-7", envid="2")
    assert place.subjects("alice", "Sent") == ["mine"]
    quota.set_limits(place.tx, "alice", 1, None)
    assert place.receive(person("alice"), copied, "host-7", envid="3") == TOO_LARGE


def test_where_no_folder_for_copies_can_be_made_they_are_kept_in_the_inbox(place: Place) -> None:
    """A room that fails on one is asked again for days, and then its sender is told that her mail was lost."""
    folders.delete_folder(place.tx, "alice", "Sent")
    while True:
        try:
            folders.create_folder(place.tx, "alice", f"folder {place.tx.connection.total_changes}", NOW)
        except folders.TooManyFolders:
            break
    copied = add_controls(letter("mine"), KeepSent("alice"))
    assert place.receive(person("alice"), copied, "host-7") == Delivered()
    assert place.subjects("alice") == ["mine"]


def test_of_mail_that_is_put_off_nothing_is_done(place: Place) -> None:
    """It comes again, and would be a repeat: what was asked in it would never be answered."""
    content = welcome("bob", 1, 1)
    content = add_controls(content, Sift("bob", "word\n", "", 1))
    content = add_controls(content, TellFollows("<1@x.test>"))
    assert isinstance(place.receive(person("alice"), content, "host-3"), Deferred)
    assert place.subjects("alice") == [] and place.tx.all("SELECT 1 FROM sift") == []
    assert place.receive(person("alice"), content, "host-2") == Delivered()
    assert place.subjects("alice") == ["What you follow"]
