"""Puts a host's door behind one that knows other fabrics.

Law: here the parts meet the configuration; none of them reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from heliograph.configuration.settings import Config
from heliograph.door.outer import InnerDoor
from heliograph.federation.door import FederatedDoor
from heliograph.federation.fabrics import Fabrics
from heliograph.flow import Flow


def federated(config: Config, door: InnerDoor, flow: Flow, clock: Callable[[], float]) -> FederatedDoor:
    return FederatedDoor(door, flow, partial(Fabrics, config.smtp.resolver, clock), config.refused_fabrics, clock)
