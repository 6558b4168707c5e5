"""Mail for the outside: is it signed with keys that the zone has, and does each host's address lead back to its name?

Law: it looks at this machine's hosts, and sends nothing. Addresses that the world does not route have no name there.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

import dns.exception
import dns.resolver
import dns.reversename

from heliograph.checkup.finding import Finding, good, warning
from heliograph.configuration.settings import Config
from heliograph.exits import CommandError
from heliograph.outside.seals import is_published, read_seals
from heliograph.published import published_directory
from spool.resolver import make_resolver

ANSWER_SECONDS_MAX = 3.0

Names = Callable[[str], Awaitable[Sequence[str]]]  # an address -> the names that it leads to


def outside(config: Config, names: Names | None = None) -> Iterator[Finding]:
    """Look at keys, and at addresses where the hosts speak to the world themselves."""
    here = [host for host in config.hosts if config.host_folder(host.name).is_dir()]
    try:
        dkim = published_directory(config).dkim
    except CommandError:
        return  # the zone is broken or missing: said by its own check
    yield from (_keys(config, host.name, dkim) for host in here)
    routed = [host for host in here if ipaddress.ip_address(host.address).is_global]
    if config.smtp.smarthost:
        return
    for host in routed:
        wanted = f"{host.name}.{config.domain}"
        yield asyncio.run(_leads_back(host.address, wanted, names or _resolver_names(config.smtp.resolver)))


def _keys(config: Config, host: str, dkim: Mapping[str, Sequence[str]]) -> Finding:
    seals = read_seals(config.host_folder(host), host)
    newest = [seal for seal in seals if seal.generation == seals[0].generation]
    missing = [seal.selector for seal in newest if not is_published(dkim, seal)]
    if not seals:
        return warning("dkim", f"{host} has no keys: its mail to the outside is not signed", "`heliograph key make`")
    if missing:
        text = f"the zone has no right record for {', '.join(missing)}: {host} does not sign with it"
        return warning("dkim", text, "`heliograph key make` writes it, or prints the line to add")
    return good("dkim", f"{host} signs with {', '.join(seal.selector for seal in newest)}")


async def _leads_back(address: str, wanted: str, names: Names) -> Finding:
    """RFC 1912 2.1; large providers refuse mail from an address without it."""
    try:
        found = [name.lower().rstrip(".") for name in await names(address)]
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        found = []
    except (dns.exception.DNSException, OSError) as error:
        return warning("ptr", f"{address}: nobody can say where it leads: {type(error).__name__}", "try again later")
    if wanted in found:
        return good("ptr", f"{address} leads to {wanted}")
    text = f"{address} leads to {', '.join(found) or 'no name'}, not to {wanted}"
    return warning("ptr", text, "ask whoever gives you the address to set its PTR; many refuse mail without it")


def _resolver_names(resolver: str) -> Names:
    async def names(address: str) -> Sequence[str]:
        asking = make_resolver(resolver)
        answer = await asking.resolve(dns.reversename.from_address(address), "PTR", lifetime=ANSWER_SECONDS_MAX)
        return [str(row.target) for row in answer]

    return names
