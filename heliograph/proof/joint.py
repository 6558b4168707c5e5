"""Puts a host's door behind one that takes a From as proof.

Law: here the parts meet the configuration; none of them reads it.
"""

from __future__ import annotations

from collections.abc import Callable

from heliograph.configuration.settings import Config
from heliograph.door.outer import InnerDoor
from heliograph.flow import Flow
from heliograph.proof.door import ProofDoor
from heliograph.proof.posters import Posters
from heliograph.proof.prover import Prover
from spool.callout import Callout
from spool.questions import Questions
from store import Store


def proving(
    config: Config, door: InnerDoor, flow: Flow, store: Store, callout: Callout, clock: Callable[[], float]
) -> ProofDoor:
    """Questions of its own: whoever keeps other checks busy does not keep these from their keys."""
    prover = Prover(Questions(config.smtp.resolver, clock).texts)
    return ProofDoor(door, flow, prover, Posters(flow, store, callout.ask), clock)
