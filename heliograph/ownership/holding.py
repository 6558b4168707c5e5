"""What a host holds of a bucket, and what may become of it: the rules of a hand-over, pure.

Law: two hosts are never owners of one bucket. The owner gives it up for good (`seal`) before another may take it
(`take`), each with an epoch one higher; what is older than what a host knows changes nothing. The zone says who ought
to own; whose zone is older than the giver's waits.

    OWNER e --seal--> SEALED e+1 --bury--> TOMBSTONE e+1        the giver
    (nothing, TOMBSTONE) --acquire--> ACQUIRING e --take--> OWNER e+1        the taker

A host that the zone says is lost owns nothing (`demote`); its heir takes what its replica shows (`leave_behind`,
`inherit`), as from one more giver. That seal is two above what the lost host owned: where it had sealed itself, and the
replica did not hear of it, its own seal is one above, and the higher epoch wins (`is_beaten`).

    OWNER e, SEALED e+1 --demote--> DEMOTED e+1 --bury--> TOMBSTONE        the lost host, when it is back
    OWNER e, SEALED e+1 --leave_behind--> LEGACY e --inherit--> SEALED e+2        in its replica
    TOMBSTONE e --revive--> SEALED e        a giver whose taker is lost and had not replicated that it took
    SEALED, TOMBSTONE e --reclaim--> OWNER e+1        the same, where the giver is the heir itself
"""

from __future__ import annotations

from dataclasses import dataclass, replace

OWNER, SEALED, TOMBSTONE, ACQUIRING = "owner", "sealed", "tombstone", "acquiring"
DEMOTED, LEGACY = "demoted", "legacy"
GIVEN_UP = (SEALED, DEMOTED)  # nobody's here, and not known to be somebody's elsewhere


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
    it up already, and nobody but you can own it now. `yields`: so it did because you own it too. `lost`: the zone of
    who is asked says that the giver is lost."""

    map: str
    bucket: int
    giver: str
    epoch: int
    serial: int
    sealed: bool = False
    lost: bool = False
    yields: bool = False


@dataclass(frozen=True, slots=True)
class Go:
    """Send it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """It is here already, with this epoch: the giver may let go."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Both:
    """I own it too, with this epoch, and have something of it: if the giver has nothing, it gives way."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now: try again later."""

    reason: str


def is_to_go(me: str, holding: Holding, view: View) -> bool:
    """Tell whether the owner's zone names somebody else."""
    return holding.state == OWNER and view.named not in ("", me)


def answer(me: str, mine: Holding | None, offer: Offer, view: View, bare: bool = False) -> Go | Taken | Both | Wait:
    """Answer an offer; also one that was made again, because the answer before was lost. `bare`: nothing of the bucket
    is here: if this host owns it too, it may take it in as if it did not."""
    if offer.lost and not offer.sealed:
        return Wait(f"the zone at {me}, serial {view.serial}, says that {offer.giver} is lost")
    if mine and mine.state == OWNER:
        if mine.epoch > offer.epoch or offer.lost or offer.yields:
            return Taken(max(mine.epoch, offer.epoch + 1))
        if not bare:
            return Both(mine.epoch)
    elif mine and mine.state in GIVEN_UP:
        return Wait(f"{me} has something of it to give away first")
    elif mine and mine.epoch > offer.epoch:
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
    if mine.state not in GIVEN_UP or epoch < mine.epoch:
        return None
    return replace(mine, state=TOMBSTONE, since=now)


# --- where a host is lost


def demote(mine: Holding, heir: str, serial: int, now: float) -> Holding | None:
    """Own nothing any more, for the zone of this serial says so. What is here is kept until nobody lacks it."""
    if mine.state == OWNER:
        return replace(mine, state=DEMOTED, epoch=mine.epoch + 1, peer=heir, serial=serial, since=now, kept=True)
    if mine.state == SEALED:
        return replace(mine, state=DEMOTED, peer=heir, serial=serial, since=now)
    return None


def is_beaten(mine: Holding, epoch: int) -> bool:
    """Tell whether an owner's word, that it owns with this epoch, ends ours: two seals were made of one bucket, the
    lost host's last one and its heir's."""
    return mine.state == OWNER and epoch > mine.epoch


def leave_behind(replica: Holding) -> Holding | None:
    """What a lost host's replica shows as its own, or as given up and not known to be taken, with the epoch in which it
    owned it; None: it has no part in it."""
    if replica.state in GIVEN_UP:
        return replace(replica, state=LEGACY, epoch=replica.epoch - 1, kept=True)
    return replace(replica, state=LEGACY, kept=True) if replica.state == OWNER else None


def was_taken(legacy: Holding, theirs: Holding) -> bool:
    """Tell whether another host has had the bucket from the lost one, later than the replica knows."""
    return theirs.state != ACQUIRING and theirs.epoch > legacy.epoch


def inherit(legacy: Holding, heir: str, serial: int, now: float) -> Holding:
    """Seal it in the lost host's name, for its heir."""
    return replace(legacy, state=SEALED, epoch=legacy.epoch + 2, peer=heir, serial=serial, since=now)


def revive(mine: Holding, heir: str, view: View, now: float) -> Holding | None:
    """Offer once more what a lost host took from here, if the zone gives it to its heir: it may have been lost before
    its replica knew."""
    if mine.state != TOMBSTONE or not mine.kept or view.named != heir:
        return None
    return replace(mine, state=SEALED, peer=heir, serial=view.serial, since=now)


def has_come(mine: Holding, theirs: Holding | None) -> bool:
    """Tell whether what went to a lost host came there, by its replica."""
    return theirs is not None and theirs.state != ACQUIRING and theirs.epoch >= mine.epoch


def reclaim(me: str, mine: Holding, view: View, now: float) -> Holding | None:
    """Own again what went to a lost host and did not come there: its heir is the giver."""
    if mine.state == SEALED or (mine.state == TOMBSTONE and mine.kept and view.named == me):
        return replace(mine, state=OWNER, epoch=mine.epoch + 1, peer="", serial=view.serial, since=now)
    return None


# --- where two own one bucket


def give_way(mine: Holding, to: str, epoch: int, now: float) -> Holding | None:
    """Another host owns it too, with no lower epoch. Nothing of it is here, or only what that one had long ago."""
    if mine.state not in (OWNER, SEALED) or epoch < mine.epoch:
        return None
    return replace(mine, state=TOMBSTONE, epoch=epoch, peer=to, since=now, kept=True)


def outlive(mine: Holding, offer: Offer) -> Holding | None:
    """Own it alone, with an epoch above that in which the other one gave way."""
    if mine.state != OWNER or not offer.yields or mine.epoch > offer.epoch + 1:
        return None
    return replace(mine, epoch=offer.epoch + 2)
