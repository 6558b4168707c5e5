"""Puts a host's door behind one that judges.

Law: here the parts meet the configuration; none of them reads it.
"""

from __future__ import annotations

from collections.abc import Callable

from heliograph.federation.door import Taker
from heliograph.federation.fabrics import Fabrics
from heliograph.judging.door import JudgingDoor
from heliograph.judging.judge import Judge
from heliograph.settings import Config


def judged(config: Config, door: Taker, clock: Callable[[], float]) -> JudgingDoor:
    texts = Fabrics(config.smtp.resolver, clock).texts
    return JudgingDoor(door, Judge(texts), config.domain, config.smtp.front_name)
