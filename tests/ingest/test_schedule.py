"""When a feed is asked again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.fetched import WEEK
from ingest.listing import FeedLine
from ingest.schedule import average_gap, backed_off, interval, retry
from ingest.settings import Settings
from ingest.why import why_due

SETTINGS = Settings()
HOUR, DAY = 3_600.0, 86_400.0


def wait(gap, floor, age=WEEK, chance=0.5):
    return interval(gap=gap, floor=floor, age=age, settings=SETTINGS, chance=chance)


def test_a_feed_is_asked_twice_as_often_as_it_writes():
    now = 100 * DAY
    gap = average_gap([now - n * 4 * HOUR for n in range(1, 11)], now)
    assert gap == 4 * HOUR
    assert wait(gap, 0, chance=0.5) == 2 * HOUR
    assert wait(gap, 3 * HOUR, chance=0.5) == 3 * HOUR  # the site asked for it
    assert wait(1.0, 0, chance=0.5) == 900
    assert wait(0.0, 0, chance=0.5) == 900
    assert wait(90 * DAY, 0, chance=0.5) == DAY
    assert wait(gap, 9 * WEEK, chance=0.5) == DAY


def test_a_feed_that_was_just_followed_is_asked_often():
    assert [wait(90 * DAY, 0, age) for age in (0, HOUR, 8 * HOUR, 3 * DAY)] == [900, 900, 2 * HOUR, 18 * HOUR]
    assert wait(90 * DAY, 5 * HOUR, 0) == 5 * HOUR


def test_a_feed_that_fell_silent_is_asked_less_and_less():
    dates = [10 * DAY - n * HOUR for n in range(10)]
    assert average_gap(dates, 10 * DAY + HOUR) < average_gap(dates, 11 * DAY) < average_gap(dates, 40 * DAY)


def test_dates_in_the_future_and_no_dates_at_all():
    assert average_gap([None, None], 5.0) == 0.0
    assert average_gap([9 * DAY, None, 2 * DAY], 3 * DAY) == DAY


def test_errors_double_the_wait_up_to_a_week():
    waits = [backed_off(errors, 0, SETTINGS, 0.5) for errors in range(1, 40)]
    assert waits[:3] == [1_800, 3_600, 7_200] and max(waits) == waits[-1] == WEEK
    assert backed_off(1, 5_000, SETTINGS, 0.5) == 5_000


def test_a_request_is_tried_three_times_more():
    assert [retry(tries, 0, SETTINGS) for tries in range(1, 6)] == [60, 240, 960, None, None]
    assert retry(1, 10 * WEEK, SETTINGS) == HOUR


@given(st.floats(0, 1e9), st.floats(0, WEEK), st.floats(0, 0.999), st.integers(1, 10_000), st.floats(0, 1e9))
def test_nothing_waits_longer_than_it_may(gap, asked_for, chance, errors, age):
    assert 0.9 * 900 <= wait(gap, asked_for, age, chance) <= 1.1 * DAY
    assert 900 < backed_off(errors, asked_for, SETTINGS, chance) <= 1.1 * WEEK


def test_what_a_site_asks_for_is_told_as_far_as_it_is_heeded():
    def why(floor):
        return why_due(FeedLine("a", "A", "https://a.example/", 1, 1, 0, 1, "200", 0, HOUR, "", 1, floor, 0))

    assert why(2 * DAY).endswith("for 2 days") and why(6e16).endswith("as long as we wait at most")
