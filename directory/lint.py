"""Judges a zone before it is served.

Law: pure. Whatever could lose a bucket or mislead another fabric is an error with its line; the rest is a warning.
"""

from __future__ import annotations

from collections.abc import Sequence

from directory import lost_rules, rules, standby_rules
from directory.problem import Problem, capped
from directory.zone import Record, Zone

RULES = (
    rules.serial_goes_forward,
    rules.says_what_it_is,
    rules.is_served_as_written,
    rules.mail_goes_to_hosts,
    rules.services_have_addresses,
    rules.every_bucket_has_one_owner,
    rules.no_bucket_too_many,
    standby_rules.standbys_are_others,
    standby_rules.hosts_have_one_standby,
    lost_rules.lost_hosts_have_heirs,
    lost_rules.lost_hosts_own_nothing,
    rules.the_world_gets_in,
    rules.hosts_are_known,
    rules.hosts_are_not_each_other,
    rules.name_servers_have_addresses,
    rules.secondaries_outlive_a_pause,
    rules.sets_have_one_ttl,
)


def lint(zone: Zone, *, buckets: int, previous_serial: int | None = None) -> tuple[Problem, ...]:
    """Return what is wrong with `zone`, errors first. `buckets`: the fabric's count, fixed for life.
    `previous_serial`: of the version before, from the same source."""
    expected = rules.Expected(buckets, previous_serial)
    findings = [finding for rule in RULES for finding in rule(zone, expected)]
    return capped(_placed(zone, findings)) if findings else ()


def _placed(zone: Zone, findings: Sequence[rules.Finding]) -> list[Problem]:
    """Find the lines, by one look through the records, and only when something is wrong."""
    by_name: dict[bytes, list[Record]] = {}
    for record in zone.records:
        by_name.setdefault(record.owner, []).append(record)
    return [
        Problem(_line(by_name.get(found.owner, ()), found), found.text, found.remedy, found.warning)
        for found in findings
    ]


def _line(records: Sequence[Record], found: rules.Finding) -> int:
    for record in records:
        if found.rtype in (0, record.rtype) and found.rdata in (b"", record.rdata):
            return record.line
    return 0
