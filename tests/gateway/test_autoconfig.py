"""What a mail client learns from an address: the document, over real sockets, as the zone says it."""

from __future__ import annotations

import ssl
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import dns.asyncquery
import dns.message
import pytest

from directory.fabric import services_of
from directory.render import render_zone
from directory.snapshot import HostRecord, Service
from directory.zone_text import read_zone
from gateway.autoconfig import PATHS, document
from heliograph.demo.stage import free_net
from heliograph.host import Host
from tests.fabric.town import make_fabric

DOMAIN = "fabric.test"
BOTH = (Service("imaps", "mail.fabric.test", 993), Service("submissions", "mail.fabric.test", 465))


def servers(text: str) -> list[tuple[str, ...]]:
    """Every server of a document, in order: element, type, host, port, socket, user name."""
    provider = ElementTree.fromstring(text).find("emailProvider")
    assert provider is not None and provider.get("id") == DOMAIN
    assert [found.text for found in provider.findall("domain")] == [DOMAIN]
    found = [server for server in provider if server.tag.endswith("Server")]
    assert {server.findtext("authentication") for server in found} == {"password-cleartext"}
    words = ("hostname", "port", "socketType", "username")
    return [(server.tag, server.get("type", ""), *(server.findtext(word, "") for word in words)) for server in found]


def services(lines: str) -> Sequence[Service]:
    """What a fresh zone with these services in place of its own says."""
    text = render_zone(DOMAIN, 1, [HostRecord("host-1", "192.0.2.1", None)])
    kept = "\n".join(line for line in text.splitlines() if " SRV " not in line)
    zone = read_zone(f"{kept}\n$ORIGIN {DOMAIN}.\n{lines}\n".encode(), DOMAIN).zone
    assert zone is not None
    return services_of(zone)


async def test_a_running_host_tells_what_its_zone_says(tmp_path: Path) -> None:
    with free_net() as net:
        config = make_fabric(tmp_path / "f", net, hosts=1)
        address, trust = net.replace(".0/24", ".1"), ssl.create_default_context(cafile=str(config.tls.ca))
        host = Host(config, "host-1")
        await host.start()
        try:
            async with aiohttp.ClientSession() as client:
                for path in (*PATHS, PATHS[0] + "?emailaddress=nobody%40fabric.test"):
                    url = f"https://{address}:{config.ports.https}{path}"
                    # the name that Thunderbird asks for is one that the certificate has
                    async with client.get(url, ssl=trust, server_hostname="autoconfig.fabric.test") as answer:
                        assert (answer.status, answer.content_type) == (200, "application/xml")
                        assert servers(await answer.text()) == [
                            ("incomingServer", "imap", "mail.fabric.test", "2993", "SSL", "%EMAILADDRESS%"),
                            ("incomingServer", "imap", "mail.fabric.test", "2143", "STARTTLS", "%EMAILADDRESS%"),
                            ("outgoingServer", "smtp", "mail.fabric.test", "2465", "SSL", "%EMAILADDRESS%"),
                            ("outgoingServer", "smtp", "mail.fabric.test", "2587", "STARTTLS", "%EMAILADDRESS%"),
                        ]
                async with client.get(f"https://{address}:{config.ports.https}/healthz", ssl=trust) as answer:
                    assert (answer.status, await answer.text()) == (200, "ok\n")
                hub = f"https://{address}:{config.ports.https}/websub/nobody"  # a host answers hubs, too
                async with client.post(hub, ssl=trust) as answer:
                    assert answer.status == 410
            asked = [("_imaps._tcp.fabric.test", "SRV"), ("autoconfig.fabric.test", "A")]
            told = []
            for name, kind in asked:
                query = dns.message.make_query(name, kind)
                reply = await dns.asyncquery.udp(query, address, timeout=5, port=config.ports.dns)
                told += [str(row) for rrset in reply.answer for row in rrset]
            assert told == ["0 1 2993 mail.fabric.test.", "mail.fabric.test.", address]
        finally:
            await host.stop()


def test_the_preferred_one_stands_first() -> None:
    lines = """
a A 192.0.2.1
b A 192.0.2.2
_imaps._tcp SRV 10 9 993 a
_imaps._tcp SRV 0 1 1993 a
_imaps._tcp SRV 0 300 2993 b
_imap._tcp SRV 0 0 0 .
_submission._tcp SRV 0 1 587 mx.elsewhere.example.
"""
    assert [(found.name, found.host, found.port) for found in services(lines)] == [
        ("imaps", "b.fabric.test", 2993),
        ("imaps", "a.fabric.test", 1993),
        ("imaps", "a.fabric.test", 993),
        ("submission", "mx.elsewhere.example", 587),
    ]
    assert [row[2:5] for row in servers(document(DOMAIN, services(lines)))][-1] == (
        "mx.elsewhere.example",
        "587",
        "STARTTLS",
    )


@pytest.mark.parametrize("missing", [0, 1])
def test_half_of_it_is_nothing(missing: int) -> None:
    assert document(DOMAIN, BOTH) != ""
    assert document(DOMAIN, [BOTH[missing]]) == ""


def test_a_name_is_text_and_never_markup() -> None:
    odd = services(r"_imaps._tcp SRV 0 1 993 a\<b&c.elsewhere.example." + "\n_submissions._tcp SRV 0 1 465 b.example.")
    assert len(servers(document(DOMAIN, odd))) == 2
    assert servers(document(DOMAIN, (Service("imaps", "a<b>&c", 993), BOTH[1])))[0][2] == "a<b>&c"
