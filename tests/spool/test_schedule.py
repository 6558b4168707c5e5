"""Back-off and breaker: pure, so every case can be asked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spool.breaker import Breaker
from spool.schedule import DAY_SECONDS, FABRIC, FOREIGN, Schedule, next_attempt

SCHEDULES = st.sampled_from([FABRIC, FOREIGN, Schedule((10,), 0, 100)])


@given(
    SCHEDULES,
    st.integers(1, 10_000),
    st.floats(0, 6 * DAY_SECONDS),
    st.floats(0, 1, exclude_max=True),
    st.floats(0, 1e9),
)
def test_a_next_attempt_lies_within_its_wait_and_within_life(
    schedule: Schedule, attempts: int, age: float, chance: float, accepted_at: float
) -> None:
    now = accepted_at + age
    at = next_attempt(schedule, accepted_at=accepted_at, attempts=attempts, now=now, chance=chance)
    end = accepted_at + schedule.lifetime_seconds
    if now >= end:
        assert at is None
    else:
        longest = schedule.waits_seconds[min(attempts, len(schedule.waits_seconds)) - 1]
        assert at is not None and min(now + schedule.floor_seconds, end) <= at <= min(now + longest, end) + 1e-6


def test_whoever_waited_comes_back_spread_over_the_whole_wait() -> None:
    at = [next_attempt(FABRIC, accepted_at=0, attempts=14, now=0, chance=k / 10) or 0 for k in range(10)]
    assert at == sorted(at) and at[-1] - at[0] > 0.8 * 3600


def test_the_fabric_tries_again_within_a_second_and_gives_up_after_five_days() -> None:
    assert 0 < (next_attempt(FABRIC, accepted_at=0, attempts=1, now=0, chance=0.99) or 99) <= 1
    now, attempts = 0.0, 0
    while True:
        attempts += 1
        at = next_attempt(FABRIC, accepted_at=0, attempts=attempts, now=now, chance=0.5)
        if at is None:
            break
        now = at
    assert now == 5 * DAY_SECONDS


def test_a_breaker_opens_after_three_failures_and_lets_one_probe_pass() -> None:
    breaker = Breaker(first_seconds=10, last_seconds=30)
    for at in (1.0, 2.0):
        assert breaker.begin(at)
        breaker.failed(at, "no answer")
    assert breaker.begin(3.0)
    breaker.failed(3.0, "no answer")
    assert not breaker.begin(12.9) and breaker.reason == "no answer"
    assert breaker.begin(13.0) and not breaker.begin(13.0)  # one only
    breaker.failed(13.0, "still none")
    assert not breaker.begin(32.9)  # twice as long
    assert breaker.begin(33.0)
    assert breaker.succeeded() and breaker.begin(33.0) and breaker.begin(33.0) and not breaker.succeeded()


def test_a_breaker_s_wait_is_bounded_and_an_abandoned_probe_can_be_repeated() -> None:
    breaker = Breaker(first_seconds=10, last_seconds=30)
    for _ in range(100):
        breaker.failed(0.0, "no")
    assert not breaker.begin(29.9) and breaker.begin(30.0)
    breaker.abandoned()
    assert breaker.begin(30.0)
    breaker.abandoned()
    breaker.failed(40.0, "no")
    breaker.reset()
    assert breaker.begin(40.0)
