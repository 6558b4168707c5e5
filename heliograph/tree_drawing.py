"""A tree of lists as an operator sees it: a line for each list and leaf, and one for a hand-over under way.

Law: pure; what is not known is not drawn as if it were: a report's age stands beside it.
"""

from __future__ import annotations

from heliograph.tree_growing import OWN, Node, is_lost, walk
from reflector.tree import HASHES, LEAF

DIGEST_SHOWN = 8
NAME_WIDTH, HOST_WIDTH = 24, 10


def draw(trees: list[Node], now: float) -> str:
    """Draw the root and all below it, then what hangs on nothing here."""
    lines: list[str] = []
    for number, node in enumerate(trees):
        if number:
            lines.append("not below any list on this machine:")
        _draw(lines, node, "", "", now)
    return "\n".join(lines)


def summary(root: Node) -> str:
    """``34 followers in 4 lists and 2 leaves``."""
    nodes = list(walk([root]))
    leaves = sum(node["kind"] == LEAF for node in nodes)
    lists = sum(node["kind"] not in (LEAF, OWN) for node in nodes)
    words = f"{_many(root['below'], 'follower')} in {_many(lists, 'list')}"
    return words + (f" and {leaves} {'leaf' if leaves == 1 else 'leaves'}" if leaves else "")


def range_text(lo: int, hi: int) -> str:
    """``40000000-7fffffff``: the hashes of the addresses outside that a list serves."""
    return "all" if (lo, hi) == (0, HASHES) else f"{lo:08x}-{hi - 1:08x}"


def move_text(move: Node, now: float) -> str:
    """``to bob+sub.3: 2,000 of 6,250 rows sent (12 s)``."""
    age = f"({max(now - move['begun'], 0):.0f} s)"
    if move["way"] == "up":
        return f"{move['branch']} is asked back: {move['rows_done']:,} rows came {age}"
    if move["way"] == "back":
        return f"goes back to the list above: {move['part']} parts sent {age}"
    if move["whole"]:
        return f"to {move['branch']}: all {move['rows_done']:,} rows sent, its answer is awaited {age}"
    return f"to {move['branch']}: {move['rows_done']:,} of {move['rows_all']:,} rows sent {age}"


def _draw(lines: list[str], node: Node, first: str, rest: str, now: float) -> None:
    lines.append(first + _line(node, NAME_WIDTH - len(first), now))
    below = node["branches"]
    if node["move"]:
        lines.append(f"{rest}{'├' if below else '└'}~ {move_text(node['move'], now)}")
    for number, branch in enumerate(below, 1):
        last = number == len(below)
        _draw(lines, branch, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "), now)


def _line(node: Node, width: int, now: float) -> str:
    parts = [f"{_name(node):<{width}} {node['host']:<{HOST_WIDTH}} {node['followers']:>9,} followers"]
    if node["kind"] not in (LEAF, OWN):
        parts += [range_text(node["lo"], node["hi"]), _posts(node)]
    if node["digest"] and node["followers"]:
        parts.append(f"digest {node['digest'][:DIGEST_SHOWN]}")
    return "  ".join(parts + _remarks(node, now)).rstrip()


def _name(node: Node) -> str:
    if node["kind"] == LEAF:
        return "(leaf)"
    return "(its own)" if node["kind"] == OWN else str(node["name"])


def _posts(node: Node) -> str:
    if "next_post" not in node:
        return "post ?"
    behind = f", {node['lag']} behind" if node["lag"] else ""
    return f"post {node['next_post'] - 1}{behind}"


def _remarks(node: Node, now: float) -> list[str]:
    remarks = []
    if node.get("policy", "auto") != "auto":
        remarks.append(f"kept {node['policy']}")
    if node.get("state", "serving") != "serving":
        remarks.append(str(node["state"]))
    if node.get("rest_until", 0) > now:
        remarks.append(f"rests {node['rest_until'] - now:.0f} s: a hand-over came to nothing")
    if is_lost(node):
        remarks.append("HAS LOST ITS FOLLOWERS: `reflector audit --mend`")
    if node["age"] is None:
        remarks.append("not heard of yet")
    elif node["age"] > 0:
        remarks.append(f"told {node['age']:.0f} s ago")
    return remarks


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
