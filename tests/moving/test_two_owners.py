"""Two hosts say that they own one bucket: who gives way by himself, and who does not."""

from __future__ import annotations

import pytest

from heliograph.ownership.holding import (
    ACQUIRING,
    OWNER,
    SEALED,
    TOMBSTONE,
    Both,
    Go,
    Holding,
    Offer,
    Taken,
    View,
    Wait,
    answer,
    give_way,
)

VIEW = View("me", 7)


def mine(epoch: int, state: str = OWNER) -> Holding:
    return Holding("timeline", 5, state, epoch)


def offer(epoch: int, sealed: bool = False) -> Offer:
    return Offer("timeline", 5, "other", epoch, 7, sealed)


@pytest.mark.parametrize(
    ("held", "offered", "bare", "said"),
    [
        (mine(1), offer(1), True, Go()),  # nothing of it is here: it may come
        (mine(1), offer(2), True, Go()),
        (mine(1), offer(1), False, Both(1)),
        (mine(1), offer(2), False, Both(1)),
        (mine(3), offer(1), True, Taken(3)),  # it was handed over since, from host to host
        (mine(3), offer(2, sealed=True), False, Taken(3)),
        (mine(2, ACQUIRING), offer(1, sealed=True), False, Wait("me has known of epoch 2, and is offered 1")),
    ],
)
def test_what_is_answered(held: Holding, offered: Offer, bare: bool, said: object) -> None:
    assert answer("me", held, offered, VIEW, bare) == said


def test_an_empty_owner_waits_like_any_other_taker() -> None:
    assert isinstance(answer("me", mine(1), offer(1), View("me", 6), bare=True), Wait)
    assert isinstance(answer("me", mine(1), offer(1), View("third", 7), bare=True), Wait)


def test_who_gives_way_has_a_tombstone_of_the_owner_s_epoch() -> None:
    assert give_way(mine(1), "other", 3, 9.0) == Holding("timeline", 5, TOMBSTONE, 3, "other", 0, 9.0, True)
    assert give_way(mine(2), "other", 1, 9.0) is None  # the other one's claim is the older
    assert give_way(mine(2, TOMBSTONE), "other", 3, 9.0) is None
    assert give_way(mine(2, SEALED), "other", 3, 9.0) is not None
