"""The network: every service of every host answers, and all hosts tell the same of the zone.

Law: it connects as a client would, to the addresses that the configuration names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import fields

import dns.asyncquery
import dns.exception
import dns.message
import dns.rdatatype

from heliograph.checkup.finding import Finding, fault, good, warning
from heliograph.configuration.settings import Config, HostConfig, Ports
from heliograph.control.control_socket import ControlClient, NotRunning

ANSWER_SECONDS_MAX = 3.0
TOGETHER_MAX = 64  # connections at a time; a fabric of 256 hosts has 2,000 ports


def network(config: Config) -> Iterator[Finding]:
    """Look at all hosts at once."""
    up = [host for host in config.hosts if _is_up(config, host)]
    for host in config.hosts:
        here = config.host_folder(host.name).is_dir()
        if here and host not in up:
            yield warning("hosts", f"{host.name} is down", "start it: heliograph up")
    away = [host for host in config.hosts if not config.host_folder(host.name).is_dir()]
    yield from asyncio.run(_look(config, [*up, *away]))


def _is_up(config: Config, host: HostConfig) -> bool:
    folder = config.host_folder(host.name)
    try:
        ControlClient(folder).close()
    except (NotRunning, FileNotFoundError):
        return False
    return True


async def _look(config: Config, hosts: list[HostConfig]) -> list[Finding]:
    gate = asyncio.Semaphore(TOGETHER_MAX)
    services = [f.name for f in fields(Ports) if getattr(config.ports, f.name)]
    knocks = [_knock(gate, host, name, getattr(config.ports, name)) for host in hosts for name in services]
    closed = [finding for finding in await asyncio.gather(*knocks) if finding]
    serials = dict(zip(hosts, await asyncio.gather(*(_serial(gate, config, host) for host in hosts)), strict=True))
    if hosts and not closed:
        closed = [good("ports", f"{len(knocks)} ports answer")]
    return [*closed, *_agreement(serials)]


async def _knock(gate: asyncio.Semaphore, host: HostConfig, service: str, port: int) -> Finding | None:
    async with gate:
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                _, writer = await asyncio.open_connection(host.address, port)
        except (OSError, TimeoutError) as error:
            text = f"{host.name}: {service} at {host.address} port {port}: {str(error) or 'no answer'}"
            return fault("ports", text, "see the host's log, and what stands between: a firewall, another address")
        writer.close()
        return None


async def _serial(gate: asyncio.Semaphore, config: Config, host: HostConfig) -> int | str:
    """Ask a host for the zone's serial; a text says why there is none."""
    query = dns.message.make_query(config.domain, dns.rdatatype.SOA)
    async with gate:
        try:
            answer = await dns.asyncquery.udp(query, host.address, ANSWER_SECONDS_MAX, config.ports.dns)
        except (OSError, dns.exception.DNSException) as error:
            return str(error) or type(error).__name__
    rows = [row for rrset in answer.answer for row in rrset if row.rdtype == dns.rdatatype.SOA]
    return int(rows[0].serial) if rows else "no SOA in its answer"


def _agreement(serials: dict[HostConfig, int | str]) -> Iterator[Finding]:
    """All hosts route by one zone; a second apart after an edit is normal."""
    for host, serial in serials.items():
        if isinstance(serial, str):
            yield fault("dns", f"{host.name} does not answer for the zone: {serial}", "see its log")
    told = {serial for serial in serials.values() if isinstance(serial, int)}
    if len(told) > 1:
        text = ", ".join(f"{host.name} {serial}" for host, serial in serials.items())
        yield fault("dns", f"the hosts do not serve the same zone: {text}", "wait a minute; then see their logs")
    elif told:
        yield good("dns", f"all hosts serve serial {told.pop()}")
