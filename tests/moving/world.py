"""Two hosts, a zone that is edited, and a letter: every order in which things can happen, walked through.

Law: the hosts decide by the rules of `ownership/holding.py`. Zones arrive late, mail and words of a hand-over are lost,
repeated and overtaken, a host forgets whatever is not durable. A `Mutant` is the protocol with one rule taken out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from heliograph.ownership.holding import (
    ACQUIRING,
    OWNER,
    SEALED,
    TOMBSTONE,
    Go,
    Holding,
    Offer,
    Taken,
    View,
    acquire,
    answer,
    bury,
    is_to_go,
    seal,
    take,
)

NAMES = ("A", "B")
HELD_MAX = 2  # copies of the letter in one queue: lost acknowledgements make more, which are no different


@dataclass(frozen=True)
class Mutant:
    """Which rule is taken out."""

    owner_by_zone: bool = False
    seal_not_durable: bool = False
    refuses_unknown: bool = False
    deletes_on_send: bool = False
    no_dedup: bool = False
    keys_stay: bool = False
    grant_without_serial: bool = False
    acks_what_it_holds: bool = False
    takes_any_epoch: bool = False


class Word(NamedTuple):
    """A word of a hand-over on its way. `box`, `seen`: what a grant carries."""

    kind: str
    to: int
    epoch: int
    serial: int
    box: int = 0
    seen: bool = False
    sealed: bool = False


class Host(NamedTuple):
    """`view`: how much of the zone's history it has; `held`: copies of the letter that are queued; `box`: how often it
    was filed; `seen`: the dedup key."""

    view: int
    holding: Holding | None
    held: int
    box: int
    seen: bool


class State(NamedTuple):
    hosts: tuple[Host, Host]
    words: frozenset[Word]
    tries: int  # of the sender, who was not told
    accepted: bool  # 250 was said at least once
    flights: frozenset[int]  # forwards on their way, by the host they left
    acks: frozenset[int]
    bounced: bool = False


class World:
    """`history`: whom each version of the zone names, by index."""

    def __init__(self, history: tuple[int, ...], mutant: Mutant, tries: int = 2) -> None:
        self.history, self.mutant, self.tries = history, mutant, tries

    def start(self) -> State:
        owner = Holding("timeline", 0, OWNER, 1)
        hosts = Host(0, owner, 0, 0, False), Host(0, None, 0, 0, False)
        return State(hosts, frozenset(), self.tries, False, frozenset(), frozenset())

    def view(self, host: Host) -> View:
        return View(NAMES[self.history[host.view]], host.view)

    def owns(self, me: int, host: Host) -> bool:
        if self.mutant.owner_by_zone:
            return self.history[host.view] == me
        return host.holding is not None and host.holding.state == OWNER

    # --- what may happen next

    def next(self, state: State) -> Iterator[State]:
        for me, host in enumerate(state.hosts):
            if host.view + 1 < len(self.history):
                yield self._with(state, me, host._replace(view=host.view + 1))
            yield from self._offer(state, me, host)
            yield from self._mail(state, me, host)
            if self.mutant.seal_not_durable and host.holding and host.holding.state == SEALED:
                back = replace(host.holding, state=OWNER, epoch=host.holding.epoch - 1, peer="")
                yield self._with(state, me, host._replace(holding=back))
        for word in state.words:
            yield from self._hear(state, word)  # it stays: it may come again, or never
        yield from self._send(state)

    def _offer(self, state: State, me: int, host: Host) -> Iterator[State]:
        if host.holding is None or self.mutant.owner_by_zone:
            return
        if is_to_go(NAMES[me], host.holding, self.view(host)):
            yield self._say(state, Word("offer", 1 - me, host.holding.epoch, host.view))
        elif host.holding.state == SEALED:  # after a crash: once more, whatever was said before
            yield self._say(state, self._grant(me, host))
            again = Word("offer", 1 - me, host.holding.epoch - 1, host.holding.serial, sealed=True)
            yield self._say(state, again)

    def _grant(self, me: int, host: Host) -> Word:
        assert host.holding is not None
        seen = host.seen and not self.mutant.keys_stay
        serial = 0 if self.mutant.grant_without_serial else host.holding.serial
        return Word("grant", 1 - me, host.holding.epoch, serial, host.box, seen)

    def _hear(self, state: State, word: Word) -> Iterator[State]:
        host = state.hosts[word.to]
        match word.kind:
            case "offer":
                yield from self._hear_offer(state, word, host)
            case "go":
                yield from self._hear_go(state, word, host)
            case "grant":
                yield from self._hear_grant(state, word, host)
            case "taken":
                mine = host.holding
                if mine and (buried := bury(mine, word.epoch, 0.0)):
                    yield self._with(state, word.to, host._replace(holding=buried))

    def _hear_offer(self, state: State, word: Word, host: Host) -> Iterator[State]:
        serial = 0 if self.mutant.grant_without_serial else word.serial
        offer = Offer("timeline", 0, NAMES[1 - word.to], word.epoch, serial, word.sealed)
        view = self.view(host)
        if self.mutant.grant_without_serial:
            view = replace(view, named=NAMES[word.to])
        match answer(NAMES[word.to], host.holding, offer, view):
            case Go():
                begun = self._with(state, word.to, host._replace(holding=acquire(offer, 0.0), box=0, seen=False))
                yield self._say(begun, Word("go", 1 - word.to, word.epoch, word.serial))
            case Taken(epoch):
                yield self._say(state, Word("taken", 1 - word.to, epoch, 0))

    def _hear_go(self, state: State, word: Word, host: Host) -> Iterator[State]:
        mine = host.holding
        if mine is None or mine.epoch != word.epoch:
            return
        if sealed := seal(mine, NAMES[1 - word.to], self.view(host), 0.0):
            given = host._replace(holding=sealed)
            after = self._say(self._with(state, word.to, given), self._grant(word.to, given))
            if self.mutant.deletes_on_send:
                after = self._with(after, word.to, given._replace(box=0, seen=False))
            yield after

    def _hear_grant(self, state: State, word: Word, host: Host) -> Iterator[State]:
        mine = host.holding
        if mine and self.mutant.takes_any_epoch:
            mine = replace(mine, state=ACQUIRING, epoch=word.epoch - 1, peer=NAMES[1 - word.to])
        if taken := take(mine, NAMES[1 - word.to], word.epoch, word.serial, self.view(host), 0.0):
            own = host._replace(holding=taken, box=word.box, seen=word.seen)
            yield self._say(self._with(state, word.to, own), Word("taken", 1 - word.to, word.epoch, 0))

    # --- the letter

    def _send(self, state: State) -> Iterator[State]:
        if not state.tries:
            return
        for to, host in enumerate(state.hosts):
            if self.mutant.refuses_unknown and not self.owns(to, host) and self.history[host.view] == to:
                yield state._replace(bounced=True)
            if host.held < HELD_MAX:
                taken = self._with(state, to, host._replace(held=host.held + 1))._replace(accepted=True)
                yield taken._replace(tries=0)  # 250 was heard
                yield taken._replace(tries=state.tries - 1)

    def _mail(self, state: State, me: int, host: Host) -> Iterator[State]:
        if host.held and self.owns(me, host):
            repeat = host.seen and not self.mutant.no_dedup
            filed = host._replace(held=host.held - 1, box=host.box + (not repeat), seen=True)
            yield self._with(state, me, filed)
        elif host.held and self._goes_to(me, host) != me and me not in state.flights | state.acks:
            yield state._replace(flights=state.flights | {me})
        if me in state.flights:
            yield state._replace(flights=state.flights - {me})  # lost
            yield from self._arrive(state, me)
        if me in state.acks:
            yield state._replace(acks=state.acks - {me})  # lost
            if host.held:
                heard = self._with(state, me, host._replace(held=host.held - 1))
                yield heard._replace(acks=state.acks - {me})

    def _arrive(self, state: State, me: int) -> Iterator[State]:
        other = state.hosts[1 - me]
        held = other.held + (not (self.mutant.acks_what_it_holds and other.held))
        if held <= HELD_MAX:
            there = self._with(state, 1 - me, other._replace(held=held))
            yield there._replace(flights=state.flights - {me}, acks=state.acks | {me})

    def _goes_to(self, me: int, host: Host) -> int:
        """As `heliograph.ownership.ownership` routes: to whom it was given, else to whom the zone names; mine waits."""
        if host.holding and host.holding.state in (SEALED, TOMBSTONE):
            return NAMES.index(host.holding.peer)
        return self.history[host.view]

    # --- and what may not

    def fault(self, state: State) -> str:
        owners = [host for me, host in enumerate(state.hosts) if self.owns(me, host)]
        if len(owners) > 1:
            return "two owners"
        if state.bounced:
            return "wrong bounce"
        if any(host.holding and host.holding.epoch > len(self.history) for host in state.hosts):
            return "ownership goes to and fro"
        whole = self._whole(state, owners)
        if whole.box > 1:
            return "doubled"
        if state.accepted and not whole.box and not any(host.held for host in state.hosts):
            return "lost"
        return ""

    def is_done(self, state: State) -> bool:
        """The zone has arrived, its owner owns, the letter is filed once."""
        last = len(self.history) - 1
        mine = state.hosts[self.history[last]]
        quiet = all(host.view == last and not host.held for host in state.hosts) and not state.tries
        return quiet and self.owns(self.history[last], mine) and mine.box == 1

    def _whole(self, state: State, owners: list[Host]) -> Host:
        """Whose copy counts: the owner's, else that of the highest epoch, which is sealed."""
        if owners:
            return owners[0]
        return max(state.hosts, key=lambda host: (host.holding.epoch if host.holding else 0, host.box))

    @staticmethod
    def _with(state: State, at: int, host: Host) -> State:
        hosts = (host, state.hosts[1]) if at == 0 else (state.hosts[0], host)
        return state._replace(hosts=hosts)

    @staticmethod
    def _say(state: State, word: Word) -> State:
        return state._replace(words=state.words | {word})


def explore(world: World, states_max: int = 400_000) -> tuple[str, dict[State, list[State]]]:
    """Walk through everything; return the first fault, with all states and what may follow each."""
    start = world.start()
    seen: dict[State, list[State]] = {}
    queue = deque([start])
    seen[start] = []
    while queue:
        state = queue.popleft()
        if fault := world.fault(state):
            return fault, seen
        for after in world.next(state):
            seen[state].append(after)
            if after not in seen:
                seen[after] = []
                queue.append(after)
        assert len(seen) < states_max, "the world is larger than was thought"
    return "", seen


def stuck(world: World, seen: dict[State, list[State]]) -> int:
    """Count the states from which the end cannot be reached any more."""
    before: dict[State, list[State]] = {}
    for state, follow in seen.items():
        for after in follow:
            before.setdefault(after, []).append(state)
    ends = deque(state for state in seen if world.is_done(state))
    reaches = set(ends)
    while ends:
        for state in before.get(ends.popleft(), ()):
            if state not in reaches:
                reaches.add(state)
                ends.append(state)
    return len(seen.keys() - reaches)
