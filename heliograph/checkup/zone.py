"""The zone: without mistakes, and of one mind with the configuration.

Law: the zone is judged as the hosts judge it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from directory.fabric import host_name
from directory.wire import read_name
from directory.zone import Zone
from heliograph.checkup.finding import Finding, fault, good, warning
from heliograph.configuration.dns import load_keys
from heliograph.configuration.settings import Config
from heliograph.keys import public_key, read_key
from heliograph.published import judge
from heliograph.toml_table import ConfigError


def zone(config: Config) -> Iterator[Finding]:
    """Lint the live zone and compare it with the configuration."""
    yield from _keys(config)
    path = config.zone_file if config.dns.primary is None else _copy(config)
    if not path.is_file():
        if config.host_folder(config.primary).is_dir():
            yield fault("zone", f"{path}: is missing", "bring it back from a backup, or from a host's copy")
        return
    found = judge(config, path)
    for problem in found.problems:
        grade = warning if problem.warning else fault
        yield grade("zone", problem.shown(str(path)).removesuffix(" " + problem.remedy), problem.remedy)
    if found.directory is None:
        return
    yield good("zone", f"serial {found.directory.serial}, {config.buckets} buckets in two maps")
    yield from _primary(config, found.zone)
    for host in config.hosts:
        record = found.directory.hosts.get(host.name)
        if record is None:
            yield warning("zone", f"{host.name} is configured and not in the zone", "add its records, or take it out")
        elif record.address != host.address:
            text = f"{host.name} is {record.address} in the zone and {host.address} in heliograph.toml"
            yield fault("zone", text, "make them the same")
        elif config.host_folder(host.name).is_dir() and record.key != public_key(read_key(config, host.name)):
            yield fault(
                "zone", f"the zone's key of {host.name} is not the one on disk", "correct its _domainkey record"
            )
    for name in sorted(set(found.directory.hosts) - {host.name for host in config.hosts}):
        yield warning("zone", f"{name} is in the zone and not configured", "add it to heliograph.toml as [[host]]")


def _primary(config: Config, zone: Zone | None) -> Iterator[Finding]:
    """Hosts believe the zone (its SOA) rather than the configuration."""
    if zone is None or config.dns.primary is not None:
        return
    named = host_name(zone, read_name(zone.soa.rdatas[0], 0)[0].lower())
    if named != config.primary:
        text = f"the SOA names {named or 'no host'} as the primary, and heliograph.toml {config.primary}"
        yield warning("zone", text, f"`zone primary {config.primary}` writes it; or set primary in heliograph.toml")


def _copy(config: Config) -> Path:
    """With a foreign primary: what the hosts have of it."""
    paths = [config.host_folder(host.name) / f"{config.domain}.zone" for host in config.hosts]
    return next((path for path in paths if path.is_file()), paths[0])


def _keys(config: Config) -> Iterator[Finding]:
    if config.dns.keys is None:
        return
    try:
        found = load_keys(config)
    except ConfigError as wrong:
        text, _, todo = str(wrong).rpartition(": ")
        yield fault("keys", text, todo)
    else:
        yield good("keys", f"{len(found)} TSIG keys")


def postmaster(config: Config) -> Iterator[Finding]:
    """RFC 5321 4.5.1: mail to postmaster must reach somebody."""
    if config.postmaster:
        yield good("postmaster", f"{config.postmaster} gets the operator's mail")
    else:
        text = "nobody gets mail to postmaster@ and abuse@"
        yield warning("postmaster", text, 'set postmaster = "name" in heliograph.toml to an account')
