"""What a host holds of a bucket, and what may become of it: the rules of a hand-over, pure.

Law: two hosts are never owners of one bucket. The owner gives it up for good (`seal`) before another may take it
(`take`), each with an epoch one higher; what is older than what a host knows changes nothing. The zone says who ought
to own; whose zone is older than the giver's waits.

    OWNER e --seal--> SEALED e+1 --bury--> TOMBSTONE e+1        the giver
    (nothing, TOMBSTONE) --acquire--> ACQUIRING e --take--> OWNER e+1        the taker
"""

from __future__ import annotations

from dataclasses import dataclass, replace

OWNER, SEALED, TOMBSTONE, ACQUIRING = "owner", "sealed", "tombstone", "acquiring"


@dataclass(frozen=True, slots=True)
class Holding:
    """A bucket of a map at this host. `peer`: whom it goes to or comes from; `serial`: of the zone that said so;
    `since`: when the state began; `kept`: whether a tombstone still has its rows."""

    map: str
    bucket: int
    state: str
    epoch: int
    peer: str = ""
    serial: int = 0
    since: float = 0.0
    kept: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """What a host's zone says of a bucket: whom it names, and its serial."""

    named: str
    serial: int


@dataclass(frozen=True, slots=True)
class Offer:
    """An owner says: my zone, of this serial, names you for a bucket that I own with this epoch. `sealed`: I have given
    it up already, and nobody but you can own it now."""

    map: str
    bucket: int
    giver: str
    epoch: int
    serial: int
    sealed: bool = False


@dataclass(frozen=True, slots=True)
class Go:
    """Send it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """It is here already, with this epoch: the giver may let go."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now: try again later."""

    reason: str


def is_to_go(me: str, holding: Holding, view: View) -> bool:
    """Tell whether the owner's zone names somebody else."""
    return holding.state == OWNER and view.named not in ("", me)


def answer(me: str, mine: Holding | None, offer: Offer, view: View) -> Go | Taken | Wait:
    """Answer an offer; also one that was made again, because the answer before was lost."""
    if mine and mine.state == OWNER:
        if mine.epoch > offer.epoch:
            return Taken(mine.epoch)
        return Wait(f"{me} owns it too, with epoch {mine.epoch}: two owners, see docs/operations.md")
    if mine and mine.epoch > offer.epoch:
        return Wait(f"{me} has known of epoch {mine.epoch}, and is offered {offer.epoch}")
    if view.serial < offer.serial:
        return Wait(f"the zone at {me} has serial {view.serial}, older than {offer.serial}")
    if view.named != me and not offer.sealed:
        return Wait(f"the zone at {me}, serial {view.serial}, names {view.named or 'nobody'}")
    return Go()


def acquire(offer: Offer, now: float) -> Holding:
    """Begin to take in what was offered. Nothing is owned by that."""
    return Holding(offer.map, offer.bucket, ACQUIRING, offer.epoch, offer.giver, offer.serial, now)


def seal(mine: Holding, to: str, view: View, now: float) -> Holding | None:
    """Give a bucket up, if it is ours and the zone still says so: from here on it only goes forward."""
    if mine.state != OWNER or view.named != to:
        return None
    return replace(mine, state=SEALED, epoch=mine.epoch + 1, peer=to, serial=view.serial, since=now, kept=True)


def take(mine: Holding | None, giver: str, epoch: int, serial: int, view: View, now: float) -> Holding | None:
    """Own what the giver has sealed with this epoch and serial, if that is the hand-over that is under way here."""
    if mine is None or mine.state != ACQUIRING or mine.peer != giver or mine.epoch + 1 != epoch:
        return None
    if view.serial < serial:
        return None
    return replace(mine, state=OWNER, epoch=epoch, serial=serial, since=now)


def bury(mine: Holding, epoch: int, now: float) -> Holding | None:
    """The taker owns it: what is left here is a copy, which is kept for a while."""
    if mine.state != SEALED or epoch < mine.epoch:
        return None
    return replace(mine, state=TOMBSTONE, since=now)
