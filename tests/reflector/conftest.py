from __future__ import annotations

import pytest

from mail.control import CreateSource
from tests.reflector.town import Town


@pytest.fixture
def town() -> Town:
    """A town where bob has a source and nobody follows yet."""
    town = Town()
    town.control("bob", CreateSource("bob", "bob", "Bob's news"))
    return town
