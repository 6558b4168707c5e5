"""What tests of several areas share: a fabric at work, in processes of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from heliograph.demo.stage import Stage, stage

PEOPLE = ("alice", "bob", "erin", "heidi")  # alice and bob live on host-3, heidi on host-2, erin on host-1


@pytest.fixture(scope="module")
def fabric() -> Iterator[Stage]:
    """Three hosts on a network of their own, with four people; see `heliograph.demo.people.Person`."""
    with stage(hosts=3) as here:
        here.add_people(*PEOPLE)
        here.start()
        yield here
