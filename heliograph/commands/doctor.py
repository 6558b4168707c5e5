"""``heliograph doctor``: everything that can be wrong, with what to do.

Law: it only looks. Exit code 0 where nothing is at fault, 69 otherwise; warnings do not count.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from heliograph import exits
from heliograph.commands.frame import config_of, json_option, say
from heliograph.exits import CommandError

if TYPE_CHECKING:
    from heliograph.checkup.finding import Finding
    from heliograph.configuration.settings import Config

MARKS = {"good": "ok", "warning": "warning", "fault": "FAULT"}


@click.command()
@json_option
@click.pass_context
def doctor(context: click.Context) -> int:
    """Look for trouble and say what to do about it."""
    config = config_of(context)
    findings = examine(config, time.time())
    faults = sum(finding.grade == "fault" for finding in findings)
    warnings = sum(finding.grade == "warning" for finding in findings)
    lines = [*map(_line, findings), f"{faults} faults, {warnings} warnings"]
    answer = {"faults": faults, "warnings": warnings, "findings": [asdict(finding) for finding in findings]}
    say(answer, "\n".join(lines))
    return exits.UNAVAILABLE if faults else exits.OK


def examine(config: Config, now: float) -> list[Finding]:
    """Run every check."""
    from heliograph.checkup.beside import beside
    from heliograph.checkup.certificates import certificates
    from heliograph.checkup.clients import clients
    from heliograph.checkup.finding import good
    from heliograph.checkup.machine import clock, disk, permissions
    from heliograph.checkup.mailboxes import mailboxes
    from heliograph.checkup.network import network
    from heliograph.checkup.outside import outside
    from heliograph.checkup.owners import owners
    from heliograph.checkup.zone import postmaster, zone

    found = [good("configuration", f"{config.root / 'heliograph.toml'}: {config.domain}, {len(config.hosts)} hosts")]
    checks = {
        "permissions": permissions(config),
        "certificates": certificates(config, now),
        "zone": zone(config),
        "clients": clients(config),
        "postmaster": postmaster(config),
        "disk": disk(config),
        "clock": clock(config, now),
        "mailboxes": mailboxes(config),
        "network": network(config),
        "owners": owners(config),
        "beside": beside(config),
        "outside": outside(config),
    }
    for name, findings in checks.items():
        found += _through(name, findings)
    return found


def _through(name: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """What a check cannot get past, like a key that is gone, is one more finding: the others look all the same."""
    from heliograph.checkup.finding import fault
    from heliograph.toml_table import ConfigError

    try:
        yield from findings
    except (CommandError, ConfigError) as error:
        text, _, remedy = str(error).rpartition(": ")
        yield fault(name, text or remedy, remedy if text else "mend that, then look again")


def _line(finding: Finding) -> str:
    todo = f"\n{'':<24}-> {finding.remedy}" if finding.remedy else ""
    return f"{MARKS[finding.grade]:<8}{finding.check:<16}{finding.text}{todo}"
