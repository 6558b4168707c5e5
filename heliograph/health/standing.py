"""What a host has to say of second copies, moves and lost hosts: its own standby, the hosts that it stands by for, what
goes, what it inherits or gives back.

Law: cheap, read on the event loop; a host without a standby and without moves has nothing to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from heliograph.moving.acts import moves_under_way
from heliograph.moving.mover import Mover
from heliograph.ownership.holding import ACQUIRING, SEALED
from heliograph.site import Answer
from heliograph.standby.replicas import Replicas
from heliograph.standby.sender import Sender
from heliograph.standby.stand_ins import StandIns
from heliograph.standby.succession import Succession

AWAY, IN_STEP = "away", "in step"


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one host."""

    sender: Sender
    replicas: Replicas
    stand_ins: StandIns
    mover: Mover
    succession: Succession
    clock: Callable[[], float]

    def told(self) -> Answer:
        """For `heliograph status`."""
        told = {"standby": self.standby(), "copies": self.copies(), "moves": moves_under_way(self.mover)}
        return told | self.held() | {"succession": self.succession.word()}

    def standby(self) -> Answer | None:
        """`lag_seconds`: how old the newest commit is that the standby holds, while there are newer ones; None where it
        holds nothing yet, or nobody knows. `lag_octets`: what was committed and is not sent; None while it is away, for
        then nobody counts."""
        state = self.sender.state()
        if state is None:
            return None
        in_step = state.phase == IN_STEP and not state.behind and not state.waiting_octets
        age = max(self.clock() - state.as_of, 0.0) if state.as_of else None
        return {
            "host": state.standby,
            "mode": state.mode,
            "phase": state.phase,
            "connected": state.phase != AWAY,
            "behind": state.behind,
            "lag_seconds": 0.0 if in_step else age and round(age, 1),
            "lag_octets": None if state.phase == AWAY else state.waiting_octets,
            "pages_done": state.pages_done,
            "pages": state.pages,
            "why": state.why,
        }

    def copies(self) -> list[Answer]:
        """Of hosts whose standby this is, or was. `shown`: its people are shown this copy, for it is away."""
        found = []
        for owner in self.replicas.owners():
            if state := self.replicas.state(owner):
                found.append(
                    {
                        "of": owner,
                        "whole": state.complete,
                        "connected": state.connected,
                        "as_of": state.as_of,
                        "age_seconds": round(max(self.clock() - state.as_of, 0.0), 1) if state.as_of else None,
                        "heard_at": state.heard_at,
                        "lag_octets": state.behind,
                        "pages_done": state.pages_done,
                        "pages": state.pages,
                        "shown": owner in self.stand_ins.shown(),
                    }
                )
        return found

    def held(self) -> Answer:
        """Buckets that are nobody's for a moment, and those that come."""
        counted = Counter(one.state for one in self.mover.party.ownership.held())
        return {"sealed": counted[SEALED], "coming": counted[ACQUIRING]}
