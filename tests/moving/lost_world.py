"""An owner, its standby, a zone that gives the owner up, letters: every order in which things can happen.

Law: the hosts decide by the rules of `holding.py`. A is the owner; B has its replica and is its heir. A's disk may be
lost, or A goes on without knowing, and comes back. A `Loss` is the protocol with one rule taken out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from heliograph.ownership.holding import (
    ACQUIRING,
    DEMOTED,
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
    demote,
    inherit,
    is_to_go,
    leave_behind,
    seal,
    take,
    was_taken,
)

GAP = 10  # more than A files in this world
KEEPS, MOVES, LOST, WELCOME = "keeps", "moves", "lost", "welcome"  # what a version of the zone says of A's bucket
Box = tuple[tuple[int, int], ...]  # (UID, letter)


@dataclass(frozen=True)
class Loss:
    """Which rule is taken out. `required`, `disk`: no rules, but what is looked at."""

    required: bool = True
    disk: bool = True  # A's may be lost
    no_gap: bool = False
    discards: bool = False
    by_silence: bool = False
    takes_old_grants: bool = False
    demotes_late: bool = False


class Disk(NamedTuple):
    """What a host has: its bucket's state, mail that is queued, the mailbox, the next UID."""

    holding: Holding | None
    held: frozenset[int] = frozenset()
    box: Box = ()
    uid: int = 1

    def letters(self) -> list[int]:
        return [letter for _, letter in self.box]


class State(NamedTuple):
    """`views`: how much of the zone's history A and B have; `a` None: its disk is lost; `grant`: one on its way to B;
    `shown`: what clients were shown; `sent`: what 250 was said to."""

    views: tuple[int, int]
    a: Disk | None
    b: Disk
    replica: Disk
    inherited: bool
    grant: tuple[int, int, Disk] | None  # epoch, serial, what it carries
    shown: frozenset[tuple[int, int]]
    sent: frozenset[int]


class World:
    """`history`: what each version of the zone says."""

    def __init__(self, history: tuple[str, ...], loss: Loss, letters: int = 2) -> None:
        self.history, self.loss, self.letters = history, loss, letters

    def start(self) -> State:
        a = Disk(Holding("timeline", 0, OWNER, 1))
        return State((0, 0), a, Disk(None), a, False, None, frozenset(), frozenset())

    def view(self, view: int) -> View:
        return View("A" if self.history[view] == KEEPS else "B", view)

    def is_lost(self, view: int) -> bool:
        return self.history[view] == LOST

    # --- what may happen next

    def next(self, state: State) -> Iterator[State]:
        a_view, b_view = state.views
        last = len(self.history) - 1
        if b_view < last and not (self.history[b_view + 1] == WELCOME and not self._is_back(state)):
            yield state._replace(views=(a_view, b_view + 1))
        if state.a and a_view < last and self.history[a_view + 1] != WELCOME:
            yield from self._a_sees(state, a_view + 1)
        if state.a and self.loss.disk and not self.is_lost(a_view):  # who was given up has no standby any more
            yield state._replace(a=None)
        yield from self._send(state)
        if state.a:
            yield from self._a_works(state, state.a)
        yield from self._b_works(state)
        if state.grant:
            yield from self._grant_arrives(state, *state.grant)

    def _a_sees(self, state: State, view: int) -> Iterator[State]:
        assert state.a
        seen = state._replace(views=(view, state.views[1]))
        if not self.is_lost(view) or self.loss.demotes_late:
            yield seen
            return
        after = state.a.holding and demote(state.a.holding, "B", view, 0.0)
        gone = state.a._replace(holding=after or state.a.holding)
        if self.loss.discards and after:
            gone = gone._replace(box=(), holding=replace(after, state=TOMBSTONE))
        yield seen._replace(a=gone)

    def _commit(self, state: State, a: Disk) -> Iterator[State]:
        """A writes. Where it has to wait for B, B has it too, or it has not happened: B does not listen to a lost one.
        What A gave up, it may write alone: it has no standby any more."""
        if not self.loss.required or self.is_lost(state.views[0]):
            yield state._replace(a=a)
        elif not self._b_gave_up(state):
            yield state._replace(a=a, replica=a)

    def _send(self, state: State) -> Iterator[State]:
        letter = len(state.sent) + 1
        if letter > self.letters:
            return
        told = state._replace(sent=state.sent | {letter})
        yield told._replace(b=state.b._replace(held=state.b.held | {letter}))
        if state.a:
            yield from self._commit(told, state.a._replace(held=state.a.held | {letter}))

    # --- at A

    def _a_works(self, state: State, a: Disk) -> Iterator[State]:
        mine = a.holding
        if not self.loss.required and not self._b_gave_up(state) and state.replica != a:
            yield state._replace(replica=a)  # the stream comes after
        if mine and mine.state == OWNER:
            for letter in a.held:
                filed = _file(a, letter)
                for after in self._commit(state, filed):
                    yield after._replace(shown=after.shown | set(filed.box))
            yield from self._move(state, a, mine)
        else:
            for letter in a.held:  # forwarded; the acknowledgement may be lost
                there = state._replace(b=state.b._replace(held=state.b.held | {letter}))
                yield there
                yield from self._commit(there, a._replace(held=a.held - {letter}))
        if mine and mine.state == SEALED:
            yield state._replace(grant=(mine.epoch, mine.serial, a))
        if mine and mine.state == DEMOTED and state.inherited:
            yield from self._return(state, a, mine)

    def _b_gave_up(self, state: State) -> bool:
        return any(self.is_lost(view) for view in range(state.views[1] + 1))

    def _move(self, state: State, a: Disk, mine: Holding) -> Iterator[State]:
        """An ordinary move, its first words in one: B begins, and A seals."""
        views = state.views
        if not is_to_go("A", mine, self.view(views[0])) or self.is_lost(views[0]):
            return
        offer = Offer("timeline", 0, "A", mine.epoch, views[0], lost=self.is_lost(views[1]))
        if isinstance(answer("B", state.b.holding, offer, self.view(views[1])), Go):
            begun = state._replace(b=state.b._replace(holding=acquire(offer, 0.0), box=()))
            yield begun
            if sealed := seal(mine, "B", self.view(views[0]), 0.0):
                yield from self._commit(begun, a._replace(holding=sealed))

    def _return(self, state: State, a: Disk, mine: Holding) -> Iterator[State]:
        """A gives what B lacks; B may have it, and A not know."""
        offer = Offer("timeline", 0, "A", mine.epoch - 1, mine.serial, True, self.is_lost(state.views[1]))
        said = answer("B", state.b.holding, offer, self.view(state.views[1]))
        if not isinstance(said, Taken):
            return
        b = state.b
        for _, letter in a.box:
            b = _file(b, letter)
        given = state._replace(b=b, shown=state.shown | set(b.box))
        yield given
        if buried := bury(mine, said.epoch, 0.0):
            yield given._replace(a=a._replace(holding=buried))

    # --- at B

    def _b_works(self, state: State) -> Iterator[State]:
        b = state.b
        if b.holding and b.holding.state == OWNER:
            for letter in b.held:
                filed = _file(b, letter)
                yield state._replace(b=filed, shown=state.shown | set(filed.box))
        if not state.inherited and (self.is_lost(state.views[1]) or self.loss.by_silence):
            yield self._inherit(state)

    def _inherit(self, state: State) -> State:
        b, replica = state.b, state.replica
        kept = self.loss.takes_old_grants
        held = b.holding if b.holding and (kept or b.holding.state != ACQUIRING) else None
        legacy = replica.holding and leave_behind(replica.holding)
        after = state._replace(inherited=True, b=b._replace(holding=held, held=b.held | replica.held))
        if legacy is None or (held and was_taken(legacy, held)):
            return after
        serial = state.views[1]
        sealed = inherit(legacy, "B", serial, 0.0)
        offer = Offer("timeline", 0, "A (replica)", sealed.epoch - 1, serial, True)
        view = View("B", serial)
        assert isinstance(answer("B", None, offer, view), Go)
        own = take(acquire(offer, 0.0), offer.giver, sealed.epoch, serial, view, 0.0)
        uid = replica.uid + (0 if self.loss.no_gap else GAP)
        return after._replace(b=Disk(own, b.held | replica.held, replica.box, uid))

    def _grant_arrives(self, state: State, epoch: int, serial: int, carried: Disk) -> Iterator[State]:
        mine = state.b.holding
        if mine and self.loss.takes_old_grants:
            mine = replace(mine, state=ACQUIRING, peer="A", epoch=epoch - 1)
        if taken := take(mine, "A", epoch, serial, self.view(state.views[1]), 0.0):
            yield state._replace(b=Disk(taken, state.b.held, carried.box, carried.uid))

    # --- and what may not

    def _is_back(self, state: State) -> bool:
        """Nothing is left that A could give: `host welcome` would do it."""
        buried = state.a is None or bool(state.a.holding and state.a.holding.state == TOMBSTONE)
        return buried and (state.inherited or not self._b_gave_up(state))

    def fault(self, state: State) -> str:
        a, b = state.a, state.b
        both = a and a.holding and b.holding and a.holding.state == b.holding.state == OWNER
        if both and not (self._b_gave_up(state) and not self.is_lost(state.views[0])):  # A cannot know yet
            return "two owners"
        by_uid = [uid for uid, _ in state.shown]
        if len(set(by_uid)) < len(by_uid):
            return "UID reused"
        if any(len(set(disk.letters())) < len(disk.box) for disk in (a, b) if disk):
            return "doubled"
        places = [b] + [a] * bool(a) + [state.replica] * (not state.inherited)
        there = {letter for disk in places for letter in (*disk.held, *disk.letters())}
        return "" if state.sent <= there else "lost"

    def is_done(self, state: State) -> bool:
        """B owns it, and has every letter once, with what came to A."""
        b = state.b
        quiet = not b.held and self._is_back(state) and (state.a is None or not state.a.held)
        owns = b.holding is not None and b.holding.state == OWNER
        return quiet and owns and state.sent <= set(b.letters()) and state.views[1] == len(self.history) - 1


def _file(disk: Disk, letter: int) -> Disk:
    """File a letter once; the key is the letter itself."""
    held = disk.held - {letter}
    if letter in disk.letters():
        return disk._replace(held=held)
    return disk._replace(held=held, box=(*disk.box, (disk.uid, letter)), uid=disk.uid + 1)
