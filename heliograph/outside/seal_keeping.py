"""Making and changing the keys for mail to the outside: files in the hosts' folders, and records in the zone file.

Law: a private key is on disk before its record is in the zone, so a host never finds itself named by a key it has not.
The record before stays until the next change: mail that was signed with it is still on its way. The zone is judged with
the change in it before it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from directory.fabric import dkim_of
from directory.lint import lint
from directory.problem import errors
from directory.render import dkim_line
from directory.rewrite import rewrite
from directory.zone_text import read_zone
from heliograph import exits
from heliograph.configuration.settings import Config
from heliograph.exits import CommandError
from heliograph.outside.seals import Seal, is_published, make_seals, read_seals
from mail.seal import GOOD_SECONDS
from store.durable_files import replace_durably


@dataclass(frozen=True, slots=True)
class Change:
    """What a zone has to say from now on: `lines` to add, `selectors` to take away. `seals`: what the lines publish."""

    lines: tuple[str, ...] = ()
    selectors: tuple[str, ...] = ()
    seals: tuple[Seal, ...] = ()


def make(config: Config, hosts: Iterable[str]) -> Change:
    """Make keys for hosts that have none; say what to publish of all that are newest."""
    newest = []
    for host in hosts:
        seals = read_seals(config.host_folder(host), host) or _keep(config, make_seals(host))
        newest += [seal for seal in seals if seal.generation == seals[0].generation]
    return Change(_lines(config, newest), seals=tuple(newest))


def rotate(config: Config, hosts: Sequence[str], *, now: float, hurry: bool = False) -> Change:
    """Make the next keys of hosts. Those before stay published until the next rotation; older ones go."""
    fresh: list[Seal] = []
    old: list[Seal] = []
    for host in hosts:
        seals = read_seals(config.host_folder(host), host)
        if len({seal.generation for seal in seals}) > 1 and not hurry:
            _check_age(config.host_folder(host) / seals[0].file, now)
    for host in hosts:
        seals = read_seals(config.host_folder(host), host)
        last = seals[0].generation if seals else 0
        fresh += _keep(config, make_seals(host, last + 1))
        old += [seal for seal in seals if seal.generation < last]
    for seal in old:
        (config.host_folder(seal.host) / seal.file).unlink()
    return Change(_lines(config, fresh), tuple(seal.selector for seal in old), tuple(fresh))


def publish(config: Config, change: Change) -> bool:
    """Write a change into the zone file; False where the zone is not written here. CommandError: it would be bad."""
    path = config.zone_file
    if config.dns.primary is not None or not path.is_file():
        return False
    before = path.read_text()
    text = amended(before, config.domain, _with_wrong(before, config.domain, change))
    if text == before:
        return True
    text = _with_next_serial(text, config.domain)
    reading = read_zone(text.encode(), config.domain)
    found = reading.problems or (lint(reading.zone, buckets=config.buckets) if reading.zone else ())
    if reading.zone is None or errors(found):
        raise CommandError(exits.CONFIG, f"{errors(found)[0].shown(str(path))}: mend that first")
    replace_durably(path, text.encode())
    return True


def amended(text: str, domain: str, change: Change) -> str:
    """Return a zone file without some keys and with others; lines that are there stay where they are."""
    if change.selectors:
        names = "|".join(map(re.escape, change.selectors))
        gone = re.compile(rf"(?im)^(?:{names})\._domainkey(?:\.{re.escape(domain)}\.)?[ \t].*\n")
        text = gone.sub("", text)
    there = {line.split()[0].removesuffix(f".{domain}.") for line in text.splitlines() if "._domainkey" in line}
    new = [line for line in change.lines if line.split()[0].removesuffix(f".{domain}.") not in there]
    return text + "".join(f"{line}\n" for line in new)


def _with_next_serial(text: str, domain: str) -> str:
    """What we write says so itself: a serial that is raised for us is a warning until somebody edits the zone."""
    zone = read_zone(text.encode(), domain).zone
    return rewrite(text.encode(), zone, zone.nodes, (zone.serial + 1) & 0xFFFFFFFF).content.decode() if zone else text


def _with_wrong(text: str, domain: str, change: Change) -> Change:
    """What stands there for a key and is another's goes, too: an old backup's, a slip of the hand."""
    zone = read_zone(text.encode(), domain).zone
    dkim = dkim_of(zone) if zone else {}
    wrong = (seal.selector for seal in change.seals if seal.selector in dkim and not is_published(dkim, seal))
    return replace(change, selectors=(*change.selectors, *wrong))


def _check_age(newest: Path, now: float) -> None:
    """What was signed with the keys before may be looked at for GOOD_SECONDS, and a day more for clocks."""
    days = (GOOD_SECONDS - (now - newest.stat().st_mtime)) / 86_400 + 1
    if days > 0:
        remedy = f"wait {days:.0f} days, or say --now if a key is in wrong hands"
        raise CommandError(exits.TEMPFAIL, f"mail signed with the keys before the last is still on its way: {remedy}")


def _lines(config: Config, seals: Sequence[Seal]) -> tuple[str, ...]:
    """Full names: the end of the file may be under another $ORIGIN."""
    return tuple(dkim_line(f"{seal.selector}._domainkey.{config.domain}.", seal.text) for seal in seals)


def _keep(config: Config, seals: tuple[Seal, ...]) -> tuple[Seal, ...]:
    for seal in seals:
        replace_durably(config.host_folder(seal.host) / seal.file, seal.pem())
    return seals
