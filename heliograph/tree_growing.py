"""One tree out of what several hosts say of its lists.

Law: pure. What a host of this machine serves is taken as it is; of the rest, the newest report, with its age; where
there is none, what the list above remembers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from reflector.tree import HASHES, LEAF, SUB, is_root, parent_of

Node = dict[str, Any]  # JSON: name, kind, host, lo, hi, followers, below, next_post, lag, digest, age, move, branches
OWN = "own"  # the followers on the root's own host, for whom no list has rows


class Sayings:
    """What the hosts of this machine say."""

    def __init__(self, answers: Sequence[dict[str, Any]], now: float) -> None:
        self.now = now
        self.lists = {stand["list"]: stand for answer in answers for stand in answer["lists"]}
        self.told = {told["name"]: told for answer in answers for told in answer["told"]}
        self.here = {answer["host"]: answer["here"] for answer in answers}
        root = next((stand for name, stand in self.lists.items() if is_root(name)), None)
        self.next_post = root["next_post"] if root else max((s["next_post"] for s in self.lists.values()), default=1)


def grow(answers: Sequence[dict[str, Any]], now: float) -> list[Node]:
    """Return the root with all that is below it; and what these hosts serve that hangs on nothing here."""
    said = Sayings(answers, now)
    trees = [_list(said, stand) for name, stand in said.lists.items() if is_root(name)]
    reached = set(_names(trees))
    for name in sorted(said.lists, key=len):
        if name not in reached and not _is_over(said.lists[name]):
            trees.append(_list(said, said.lists[name]))
            reached.update(_names(trees[-1:]))
    return trees


def walk(trees: Iterable[Node]) -> Iterable[Node]:
    """All nodes, each before those below it."""
    for node in trees:
        yield node
        yield from walk(node["branches"])


def unheard(trees: Iterable[Node], seconds: float) -> list[Node]:
    """Return whose newest report is older than so many seconds, or who never reported."""
    return [node for node in walk(trees) if node["age"] is None or node["age"] > seconds]


def is_lost(node: Node) -> bool:
    """A list that was asked, and said that it knows of no hand-over."""
    return "given" in node and node.get("epoch") == 0


def _names(trees: Iterable[Node]) -> Iterable[str]:
    return (node["name"] for node in walk(trees))


def _list(said: Sayings, stand: dict[str, Any]) -> Node:
    """A list of a host of this machine."""
    below = [_own(said, stand)] if is_root(stand["list"]) else []
    below += [_leaf(said, leaf) for leaf in stand["leaves"]]
    below += [_sub(said, sub) for sub in stand["subs"]]
    rows = stand["inside"] + stand["outside"]
    node = _node(stand["list"], SUB, stand["host"], rows, below, stand["digest"], 0.0)
    for key in ("lo", "hi", "epoch", "inside", "outside", "state", "policy", "move", "next_post", "rest_until"):
        node[key] = stand[key]
    return node | {"lag": max(said.next_post - stand["next_post"], 0)}


def _is_over(stand: dict[str, Any]) -> bool:
    """A list that has gone back keeps its numbers, should it come again."""
    return bool(stand["state"] == "released" and not stand["inside"] + stand["outside"])


def _own(said: Sayings, root: dict[str, Any]) -> Node:
    here = said.here[root["host"]]
    return _node(root["host"], OWN, root["host"], here["followers"], [], here["digest"], 0.0)


def _leaf(said: Sayings, leaf: dict[str, Any]) -> Node:
    here, told = said.here.get(leaf["name"]), said.told.get(leaf["name"])
    if here is not None:
        node = _node(leaf["name"], LEAF, leaf["name"], here["followers"], [], here["digest"], 0.0)
    elif told is not None and told["epoch"] in (leaf["epoch"], 0):  # 0: its host lost the word, and has the followers
        node = _node(leaf["name"], LEAF, leaf["name"], told["total"], [], told["digest"], said.now - told["at"])
    else:
        node = _node(leaf["name"], LEAF, leaf["name"], leaf["total"], [], "", None)
    return node | {"epoch": leaf["epoch"], "from_post": leaf["from_post"]}


def _sub(said: Sayings, sub: dict[str, Any]) -> Node:
    """A branch as its parent sees it: as it is, if it is here; else as it was reported."""
    if sub["name"] in said.lists:
        return _list(said, said.lists[sub["name"]]) | {"given": sub["epoch"], "from_post": sub["from_post"]}
    known = {"lo": sub["lo"], "hi": sub["hi"], "given": sub["epoch"], "from_post": sub["from_post"]}
    return (_reported(said, sub["name"]) or _node(sub["name"], SUB, sub["host"], sub["total"], [], "", None)) | known


def _reported(said: Sayings, name: str) -> Node | None:
    told = said.told.get(name)
    if told is None:
        return None
    below = []
    if told["branches"]:
        names = (other for other in said.told if not is_root(other) and parent_of(other) == name)
        below = [node for other in sorted(names) if (node := _reported(said, other))]
    node = _node(name, SUB, told["host"], told["rows"], below, told["digest"], said.now - told["at"])
    lag = max(said.next_post - told["next_post"], 0)
    return node | {"below": told["total"], "epoch": told["epoch"], "next_post": told["next_post"], "lag": lag}


def _node(name: str, kind: str, host: str, followers: int, below: list[Node], digest: str, age: float | None) -> Node:
    total = followers + sum(node["below"] for node in below)
    return {
        "name": name,
        "kind": kind,
        "host": host,
        "lo": 0,
        "hi": HASHES,
        "followers": followers,
        "below": total,
        "digest": digest,
        "age": age,
        "move": None,
        "branches": below,
    }
