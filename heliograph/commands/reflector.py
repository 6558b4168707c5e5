"""``heliograph reflector``: lists and the trees that they become.

Law: looking changes nothing. Splitting and folding are asked for here and done by the lists themselves, by mail, while
posts go on; the tree shows how far they are.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from heliograph import exits
from heliograph.commands.frame import Commands, config_of, json_option, note, say
from heliograph.exits import CommandError

if TYPE_CHECKING:
    from heliograph.configuration.settings import Config

LOOK_SECONDS = 0.5
ANSWER_SECONDS_MAX = 10.0  # a host that is stopped, or stands still, must not hide what the others know
QUIET_LOOKS = 3  # as often nothing was under way: a step ends and the next begins within a second
WATCH = click.option("--watch", is_flag=True, help="Show every change until no hand-over is under way here.")


@click.group(cls=Commands, lazy={"footer": "heliograph.commands.footer:footer"})
def reflector() -> None:
    """List, show, split, fold and audit the lists of sources; their footers."""


@reflector.command("list")
@json_option
@click.pass_context
def list_(context: click.Context) -> None:
    """List the sources whose lists have their root on this machine."""
    from heliograph.control.desk import every_row

    rows = every_row(config_of(context), "reflector list", "lists", "list")
    say({"lists": rows}, "\n".join(map(_list_line, rows)) or "no lists")


@reflector.command()
@click.argument("name")
@WATCH
@json_option
@click.pass_context
def show(context: click.Context, name: str, watch: bool) -> None:
    """Draw the tree of the source NAME: hosts, followers, ranges, posts, digests, hand-overs under way."""
    from heliograph.tree_drawing import draw, summary

    config = config_of(context)
    source = _list_of(config, name).partition("+")[0]
    if watch:
        _watch(config, source)
    trees, _ = _look(config, source)
    top = f"{source}: {summary(trees[0])}\n" if trees[0]["name"] == source else ""
    say({"source": source, "trees": trees}, top + draw(trees, time.time()))


@reflector.command()
@click.argument("name")
@WATCH
@json_option
@click.pass_context
def split(context: click.Context, name: str, watch: bool) -> None:
    """Have the list NAME hand all its followers outside to lists below it, and keep it so."""
    _ask(context, name, "split", "is split and stays so", watch)


@reflector.command()
@click.argument("name")
@WATCH
@json_option
@click.pass_context
def fold(context: click.Context, name: str, watch: bool) -> None:
    """Have the list NAME take all its followers back, and keep it one list."""
    _ask(context, name, "flat", "is folded and stays one list", watch)


@reflector.command()
@click.argument("name")
@WATCH
@json_option
@click.pass_context
def auto(context: click.Context, name: str, watch: bool) -> None:
    """Let the list NAME split and fold by its length again."""
    _ask(context, name, "auto", "splits and folds by its length", watch)


@reflector.command()
@click.argument("name")
@click.option("--wait", default=10.0, show_default=True, metavar="SECONDS", help="How long answers are waited for.")
@click.option("--mend", is_flag=True, help="Give lists that lost their followers those again. Who left follows again.")
@json_option
@click.pass_context
def audit(context: click.Context, name: str, wait: float, mend: bool) -> None:
    """Have every list and leaf of the source NAME report to its root, and draw the tree as it was told there."""
    from heliograph.commands.whose import owner_of
    from heliograph.control.desk import desk
    from heliograph.tree_drawing import draw
    from heliograph.tree_growing import grow, unheard

    config = config_of(context)
    source = _list_of(config, name).partition("+")[0]
    give_up = time.monotonic() + wait
    with desk(config, owner_of(config, source, "reflectors")) as host:
        asked_at = host.ask("reflector audit", name=source)["asked_at"]
        while True:
            trees = grow([host.ask("reflector show", name=source)], time.time())
            silent = unheard(trees, time.time() - asked_at)
            if not silent or time.monotonic() > give_up:
                break
            time.sleep(LOOK_SECONDS)
    for node in silent:
        note(f"{node['name']} at {node['host']} has not answered: is it up? See `queue list`")
    mended = _mend(config, trees, asked_at) if mend else []
    answer = {"source": source, "trees": trees, "silent": [node["name"] for node in silent], "mended": mended}
    lines = [f"{row['name']} is given {row['rows']} followers again" for row in mended]
    say(answer, "\n".join([draw(trees, time.time()), *lines]))


def _mend(config: Config, trees: list[dict[str, Any]], since: float) -> list[dict[str, Any]]:
    """The list above each that lost its followers knows them."""
    from heliograph.commands.whose import owner_of
    from heliograph.control.desk import desk
    from heliograph.tree_growing import is_lost, walk
    from reflector.tree import parent_of

    mended: list[dict[str, Any]] = []
    for above in sorted({parent_of(node["name"]) for node in walk(trees) if is_lost(node)}):
        with desk(config, owner_of(config, above, "reflectors")) as host:
            mended += host.ask("reflector mend", name=above, since=since)["mended"]
    return mended


def _ask(context: click.Context, name: str, policy: str, words: str, watch: bool) -> None:
    from heliograph.commands.whose import owner_of
    from heliograph.control.desk import desk

    config = config_of(context)
    list_ = _list_of(config, name)
    with desk(config, owner_of(config, list_, "reflectors")) as host:
        answer = host.ask("reflector ask", name=list_, policy=policy)
    if watch:
        _watch(config, list_.partition("+")[0])
    say(answer, f"{list_} {words}: `heliograph reflector show {list_.partition('+')[0]}` shows how far it is")


def _look(config: Config, source: str, digests: bool = True) -> tuple[list[dict[str, Any]], bool]:
    """Return the tree as the hosts of this machine know it, and whether anything is under way in it."""
    from heliograph.control.desk import desk, hosts_here
    from heliograph.tree_growing import grow

    answers, silent = [], ""
    for name in hosts_here(config):
        try:
            with desk(config, name, ANSWER_SECONDS_MAX) as host:
                answers.append(host.ask("reflector show", name=source, digests=digests))
        except CommandError as error:
            if error.code != exits.TEMPFAIL:
                raise
            silent = name
            note(f"{name}: {error}. What it serves is shown as it was told elsewhere")
    trees = grow(answers, time.time())
    if not trees and silent:
        raise CommandError(exits.TEMPFAIL, f"{source}: no other host on this machine has a list of it: repeat")
    if not trees:
        raise CommandError(exits.NOUSER, f"{source}: no host on this machine has a list of it: see `reflector list`")
    return trees, any(answer["busy"] for answer in answers)


def _watch(config: Config, source: str) -> None:
    """Tell a person of each change, until all is quiet."""
    from heliograph.tree_drawing import draw

    quiet, shown = 0, ""
    while quiet < QUIET_LOOKS:
        trees, busy = _look(config, source, digests=False)
        drawn = draw(trees, time.time())
        if drawn != shown:
            note(f"{time.strftime('%H:%M:%S')}\n{drawn}\n")
        quiet, shown = 0 if busy else quiet + 1, drawn
        time.sleep(LOOK_SECONDS)


def _list_of(config: Config, name: str) -> str:
    """A list is ``bob``, ``bob@reflectors.D``, or one of its tree: ``bob+sub.7``."""
    from heliograph.commands.whose import entity_of
    from mail.address import mirrored
    from reflector.tree import list_of

    text = name.removesuffix(f"@reflectors.{config.domain}")
    entity, plus, below = text.partition("+sub.")
    if not plus:
        return entity if mirrored(entity) else entity_of(config, entity)
    if not (below.isascii() and below.isdigit() and 0 < len(below) <= 9 and not below.startswith("0")):
        raise CommandError(exits.DATA, f"{name!r}: is no list: write bob, or bob+sub.7")
    return list_of(entity_of(config, entity), int(below))


def _list_line(row: dict[str, Any]) -> str:
    tree = (
        f"  {row['lists_below']} lists and {row['leaves']} leaves below" if row["lists_below"] + row["leaves"] else ""
    )
    kept = f"  kept {row['policy']}" if row["policy"] != "auto" else ""
    moving = f"  hand-over to or from {row['move']['branch']}" if row["move"] else ""
    length = f"{row['followers']:>9,} followers  {row['posts']} posts"
    return f"{row['host']:<10} {row['list']:<31} {length}{tree}{kept}{moving}"
