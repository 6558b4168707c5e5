"""The protocol of trees with one thing left out of it, and whether the simulation notices.

A mutant that lives would mean that a rule is not needed, or that nobody checks it.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mailbox_host.room import MailboxRoom
from reflector import (
    adopting,
    expansion,
    folding,
    handing_over,
    nodes,
    relaying,
    routing,
    subscriptions,
    told,
    tree_controls,
)


@dataclass(frozen=True)
class Mutant:
    """`function` with `old` in its text replaced by `new`. `rare`: most schedules do not notice; `make soak` finds one
    that does. `seed`: of a schedule that noticed, when it was last looked; where it does not any more, others do."""

    name: str
    function: Callable[..., Any]
    old: str
    new: str
    rare: bool = False
    seed: int = 0

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Let it live for a while."""
        whole = self.function.__code__
        self.function.__code__ = self.code()  # type: ignore[attr-defined]
        try:
            yield
        finally:
            self.function.__code__ = whole  # type: ignore[attr-defined]

    def code(self) -> Any:
        text = textwrap.dedent(inspect.getsource(self.function))
        assert text.count(self.old) == 1, f"{self.name}: {self.old!r} stands there {text.count(self.old)} times"
        made: dict[str, Any] = {}
        space = dict(self.function.__globals__)  # type: ignore[attr-defined]
        exec("from __future__ import annotations\n" + text.replace(self.old, self.new), space, made)
        return made[self.function.__name__].__code__


CUT = "move.hi, until, OPEN"
TOLD = "for entity, (until, row) in told.items():"
THEIRS = "dissolve_branches(house, tx, list_, 0, control.generation, now)"
TO_ALL = "*sorted(branches)"
IN_RANGE = "(move and move.kind == SUB and hash_ in move.range)"
SAME_HAND_OVER = "(move.branch, move.epoch, move.way) == (name, answer.epoch, DOWN)"

MUTANTS = (
    Mutant(
        "cut over whatever the branch holds",
        handing_over.take_answer,
        'if (answer.rows, int(answer.digest or "0", 16)) != (move.rows, int(move.digest, 16)):',
        "if False:",
        seed=51,
    ),
    Mutant(
        "take back whatever came",
        folding.take_back,
        "if (len(whole), int(digest, 16)) != (control.rows, int(control.digest, 16)):",
        "if False:",
        rare=True,
    ),
    Mutant("commands are carried out while their range is handed over", routing.place_of, IN_RANGE, "False", seed=2),
    Mutant(
        "commands are carried out while a leaf comes or goes",
        routing.place_of,
        "WAIT if move and move.branch == house.home(who.entity) else HERE",
        "HERE",
        rare=True,
    ),
    Mutant(
        "an answer to another hand-over counts",
        tree_controls._answered,
        SAME_HAND_OVER,
        "(move.branch, move.way) == (name, DOWN)",
        rare=True,
    ),
    Mutant(
        "parts of an older hand-over count",
        adopting.adopt,
        "if node and control.epoch < max(node.epoch, node.folded + 1):",
        "if False:",
        rare=True,
    ),
    Mutant("the branch begins a post too late", handing_over._cut_over, CUT, CUT.replace("until", "until + 1")),
    Mutant(
        "the branch begins a post too early", handing_over._cut_over, CUT, CUT.replace("until", "until - 1"), rare=True
    ),
    Mutant("rows come back as they began", folding._take_over, "move.list, rows, until)", "move.list, rows, 0)"),
    Mutant(
        "rows that were handed over are forgotten at once",
        subscriptions.close_moved,
        "UPDATE subscriber SET until_post = ?, closed = ?, moving = 0 WHERE",
        "DELETE FROM subscriber WHERE ? > 0 AND ? > 0 AND",
        seed=22,
    ),
    Mutant(
        "rows that came to their end are forgotten at once",
        subscriptions.close_open,
        'f"DELETE FROM subscriber WHERE {open_} AND from_post >= ?", (list_, until)',
        'f"DELETE FROM subscriber WHERE {open_}", (list_,)',
    ),
    Mutant(
        "late posts do not find the branch that they are for",
        nodes.branches_of_post,
        "until_post > ? AND from_post <= ?",
        "until_post > ? + 9000000000000000000 AND from_post <= ?",
    ),
    Mutant(
        "a post is passed on as often as it comes",
        relaying.relay_post,
        'return Receipt(Delivered("2.0.0 Ok, was here before"))',
        "pass",
    ),
    Mutant("a branch begins to count generations anew", adopting._open_list, "control.generation, now)", "0, now)"),
    Mutant(
        "generations are forgotten when a branch comes back",
        folding._take_over,
        "(len(new), generation, until",
        "(len(new), 0, until",
        rare=True,
    ),
    Mutant("a branch answers before it has all", adopting.stage, "0 < held[1] == held[0]", "True", seed=10),
    Mutant(
        "a command is carried out as often as it comes",
        tree_controls._relay,
        "        return repeated",
        "        pass",
        seed=10,
    ),
    Mutant(
        "a command that is late finds whatever the list is now",
        routing.place_of_relayed,
        "relay.epoch < node.epoch",
        "False",
        rare=True,
    ),
    Mutant(
        "a command does not tell how far the root is",
        tree_controls._relay,
        "if not is_root(list_):",
        "if False:",
        seed=5,
    ),
    Mutant(
        "a leaf keeps no post that nobody is known to follow",
        MailboxRoom._leaf,
        " or arrival.signed_by != self._host",
        "",
        rare=True,
    ),
    Mutant(
        "a leaf that comes back is taken at its word",
        told.corrected,
        TOLD,
        TOLD.replace("told.items()", "()"),
        rare=True,
    ),
    Mutant("a list that was never cut over keeps its branches", adopting.adopt, THEIRS, "()", rare=True),
    Mutant("an older word ends what goes back now", folding.let_go, " or control.epoch != node.folded", "", rare=True),
    Mutant("posts do not reach the branches", expansion.expand, TO_ALL, "*()"),
)
