"""What tests of several areas share: a fabric at work, in processes of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from heliograph.demo.stage import Stage, stage

# No test is a stopwatch: a busy machine is no fault of the code. bench/ measures.
settings.register_profile("heliograph", deadline=None)
settings.load_profile("heliograph")

PEOPLE = ("alice", "bob", "erin", "heidi")  # alice and bob live on host-3, heidi on host-2, erin on host-1


@pytest.fixture(scope="module")
def fabric() -> Iterator[Stage]:
    """Three hosts on a network of their own, with four people; see `heliograph.demo.people.Person`."""
    with stage(hosts=3) as here:
        here.add_people(*PEOPLE)
        here.start()
        yield here


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """The command narrows the process's; a server that a later test starts under its own user could read nothing."""
    yield
    os.umask(0o022)
