"""`doctor` on mail for the outside: keys in the zone, and addresses that lead back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dns.resolver

from heliograph.checkup.outside import outside
from heliograph.configuration.config import load
from heliograph.configuration.settings import Config
from heliograph.demo.stage import free_net
from tests.fabric.town import make_fabric


def config(folder: Path) -> Config:
    with free_net() as net:
        make_fabric(folder / "fabric", net, hosts=1)
    return load(folder / "fabric")


def test_keys_that_the_zone_does_not_have_are_told(tmp_path: Path) -> None:
    read = config(tmp_path)
    (finding,) = outside(read)  # a loopback address leads nowhere, and is not asked about
    assert finding.grade == "good" and "host-1-r1, host-1-e1" in finding.text
    lines = read.zone_file.read_text().splitlines(keepends=True)
    read.zone_file.write_text("".join(line for line in lines if not line.startswith("host-1-e1._domainkey")))
    (finding,) = outside(read)
    assert finding.grade == "warning" and "host-1-e1" in finding.text and "host-1-r1" not in finding.text
    for key in read.host_folder("host-1").glob("dkim-*"):
        key.unlink()
    (finding,) = outside(read)
    assert finding.grade == "warning" and "no keys" in finding.text
    read.zone_file.write_text("no zone")
    assert list(outside(read)) == []


def test_an_address_leads_back_to_its_host(tmp_path: Path) -> None:
    read = config(tmp_path)
    read = replace(read, hosts=(replace(read.hosts[0], address="1.1.1.1"),))
    told: list[str] = []

    async def names(address: str) -> list[str]:
        if not told:
            raise dns.resolver.NXDOMAIN
        return told

    def grade() -> tuple[str, str]:
        *_, finding = outside(read, names)
        return finding.check, finding.grade

    assert grade() == ("ptr", "warning")
    told.append("one.provider.example.")
    assert grade() == ("ptr", "warning")
    told.append(f"HOST-1.{read.domain}.")
    assert grade() == ("ptr", "good")
    behind = replace(read, smtp=replace(read.smtp, smarthost="127.0.0.1:25"))
    assert [finding.check for finding in outside(behind, names)] == ["dkim"]
