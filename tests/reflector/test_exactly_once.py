"""Whatever people do in whatever order: each foreign subscriber gets exactly the posts of its intervals."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mail.control import CreateSource, Goodbye, Subscribe, Welcome
from tests.reflector.town import NAMES, Town

BOB = "bob@reflectors.fabric.test"
PEOPLE = ("eve@pen.test", "Adam@Pen.test", "carol@fabric.test")

Deed = tuple[str, int]
deeds = st.lists(
    st.tuples(st.sampled_from(["subscribe", "unsubscribe", "post", "repeat"]), st.integers(0, 11)), max_size=40
)


class Model:
    """Bob's list as a child would keep it: who is on it now, and what each of them must have got."""

    def __init__(self, backlog: int) -> None:
        self.backlog, self.posts = backlog, 0
        self.on: set[str] = set()
        self.since: dict[str, int] = {}
        self.expected: dict[str, list[int]] = {person: [] for person in PEOPLE}

    def subscribe(self, person: str) -> None:
        if person not in self.on:
            self.on.add(person)
            first = max(self.posts + 1 - self.backlog, self.since.get(person, 1), 1)
            self.expected[person] += range(first, self.posts + 1)

    def unsubscribe(self, person: str) -> None:
        if person in self.on:
            self.on.discard(person)
            self.since[person] = self.posts + 1

    def post(self) -> None:
        self.posts += 1
        for person in self.on:
            self.expected[person].append(self.posts)


def signed_in(person: str) -> str:
    return person.partition("@")[0] if person.endswith("@fabric.test") else ""


def do(town: Town, deed: str, person: str) -> None:
    """Foreigners come through a room that has their word, or confirm; carol signs in."""
    if deed == "subscribe":
        town.control("bob", Subscribe("bob", person))
    elif signed_in(person):
        town.write(f"bob+{deed}@reflectors.fabric.test", by=signed_in(person))
    else:
        town.write(f"bob+{deed}@reflectors.fabric.test", by=person)
        box = [mail for mail in town.sent if mail.to == person.lower() and mail.headers.has("reply-to")]
        if box:
            town.sent.remove(box[-1])
            town.write(box[-1].headers.get("reply-to"), by=person)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(deeds, st.sampled_from([0, 2]))
def test_recipients_are_exactly_the_posts_in_the_intervals(story: list[Deed], backlog: int) -> None:
    town, model = Town(), Model(backlog)
    town.control("bob", CreateSource("bob", "bob", "", backlog))
    posted: list[int] = []
    for deed, number in story:
        person = PEOPLE[number % len(PEOPLE)]
        if deed == "repeat":
            if posted:
                letters, town.letters = town.letters, posted[number % len(posted)]
                town.write(BOB, by="bob", text="post", repeat=True)
                town.letters = letters
        elif deed == "post":
            model.post()
            town.write(BOB, by="bob", text="post")
            posted.append(town.letters)
        else:
            town.now += 86_400 / 2  # so that nobody is asked too often
            getattr(model, deed)(person)
            do(town, deed, person)
    for person in PEOPLE:
        box = NAMES.timeline("carol") if signed_in(person) else person.lower()
        assert [mail.post for mail in town.sent if mail.to == box and mail.post] == model.expected[person]
    assert town.tx.one("SELECT subscribers FROM source") == (len(model.on),)
    generations = [c.generation for m in town.sent for c in m.controls if isinstance(c, Welcome | Goodbye)]
    assert generations == sorted(set(generations))  # each change its own, rising
