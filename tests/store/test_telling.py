"""Who is told when, under the terms of a standby."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from store import StandbyBehind
from store.telling import IN_STEP_COMMITS, Job, Telling, Terms

REQUIRED, PREFERRED = Terms(True, 10.0), Terms(False, 2.0)


def job(result: int, heard: list[int] | None = None) -> Job:
    callbacks = [lambda: heard.append(result)] if heard is not None else None
    return Job(lambda tx: None, Future(), None, result=result, callbacks=callbacks)  # type: ignore[arg-type]


def told(*jobs: Job) -> list[object]:
    """What each was told: a result, behind, or nothing yet."""
    return [
        None if not one.future.done() else "behind" if one.future.exception() else one.future.result() for one in jobs
    ]


def test_without_a_standby_all_are_told_at_once() -> None:
    telling, one = Telling(), job(1)
    telling.committed(1, [one], 0.0)
    assert told(one) == [1] and not telling.look(100.0)


@pytest.mark.parametrize("terms", [REQUIRED, PREFERRED])
def test_what_is_held_is_told_and_nothing_after_it(terms: Terms) -> None:
    telling, heard = Telling(), list[int]()
    jobs = [job(n, heard) for n in (1, 2, 3)]
    telling.agree(terms)
    for one in jobs:
        telling.committed(one.result, [one], 0.0)
    assert told(*jobs) == [None, None, None]
    telling.held(2)
    assert told(*jobs) == [1, 2, None] and heard == [1, 2]
    telling.held(2)
    telling.held(1)
    assert told(*jobs) == [1, 2, None]
    telling.held(3)
    assert told(*jobs) == [1, 2, 3] and heard == [1, 2, 3]


def test_required_and_silent_is_behind_until_all_is_held() -> None:
    telling, heard, late = Telling(), list[int](), job(3)
    jobs = [job(n, heard) for n in (1, 2)]
    telling.agree(REQUIRED)
    telling.committed(1, jobs[:1], 0.0)
    telling.committed(2, jobs[1:], 9.0)
    assert not telling.look(10.0) and not telling.refuses
    assert telling.look(10.1) and telling.refuses and not telling.look(11.0)
    assert told(*jobs) == ["behind", "behind"] and heard == []
    with pytest.raises(StandbyBehind):
        jobs[0].future.result()
    telling.committed(3, [late], 10.2)  # it had begun before
    assert told(late) == ["behind"]
    assert telling.held(3) and not telling.refuses
    assert heard == [1, 2]  # it counts, though nobody waits any more


def test_preferred_and_silent_goes_on_until_it_is_near() -> None:
    telling, jobs = Telling(), [job(n) for n in range(1, 40)]
    telling.agree(PREFERRED)
    telling.committed(1, jobs[:1], 0.0)
    assert telling.look(2.1) and told(jobs[0]) == [1] and not telling.refuses
    for one in jobs[1:20]:
        telling.committed(one.result, [one], 3.0)
    assert told(*jobs[1:20]) == list(range(2, 21))
    assert not telling.held(20 - IN_STEP_COMMITS - 1) and telling.is_behind
    assert telling.held(20 - IN_STEP_COMMITS) and not telling.is_behind
    telling.committed(21, jobs[20:21], 4.0)
    assert told(jobs[20]) == [None]


def test_a_standby_that_the_zone_takes_away_is_not_waited_for() -> None:
    telling, jobs = Telling(), [job(1), job(2)]
    telling.agree(REQUIRED)
    telling.committed(1, jobs[:1], 0.0)
    telling.agree(REQUIRED)  # another one
    assert told(jobs[0]) == [None]
    telling.agree(None)
    assert told(jobs[0]) == [1]
    telling.committed(2, jobs[1:], 0.0)
    assert told(jobs[1]) == [2]


def test_the_end_tells_nobody_what_is_not_held() -> None:
    required, preferred, jobs = Telling(), Telling(), [job(1), job(2)]
    for telling, terms, one in zip((required, preferred), (REQUIRED, PREFERRED), jobs, strict=True):
        telling.agree(terms)
        telling.committed(1, [one], 0.0)
        telling.give_up()
    assert told(*jobs) == ["behind", 2]
