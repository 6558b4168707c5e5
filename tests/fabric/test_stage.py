"""The stage that demos, tests and benches stand on lets its body's errors out."""

from __future__ import annotations

import pytest

from heliograph.demo.stage import free_net


def test_an_error_on_a_network_of_ours_is_not_taken_for_a_network_that_is_taken() -> None:
    with pytest.raises(ConnectionError, match="ours"), free_net():
        raise ConnectionError("ours")  # an OSError, as smtplib's are
