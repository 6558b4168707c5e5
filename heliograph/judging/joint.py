"""Puts a host's door behind one that judges.

Law: here the parts meet the configuration; none of them reads it.
"""

from __future__ import annotations

from collections.abc import Callable

from heliograph.configuration.settings import Config
from heliograph.door.outer import InnerDoor
from heliograph.judging.door import JudgingDoor
from heliograph.judging.judge import Judge
from mail.loopback import is_loopback
from spool.questions import Questions


def judged(config: Config, door: InnerDoor, clock: Callable[[], float]) -> JudgingDoor:
    ours = {host.address for host in config.hosts} | config.smtp.fronts
    texts, ask = Questions(config.smtp.resolver, clock).texts, Questions(config.smtp.resolver, clock).ask
    judge = Judge(texts, ask)
    return JudgingDoor(
        door, judge, config.domain, config.smtp.front_name, lambda address: address in ours or is_loopback(address)
    )
