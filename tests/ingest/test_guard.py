"""Inside the operator's network nothing is fetched, however it is spelled and whoever leads there."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import replace

import pytest

from ingest.fetch import Fetcher
from ingest.fetched import Failed, Fetched
from ingest.guard import Denied, guarded_socket, is_allowed
from ingest.settings import Settings

INSIDE = """
0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.0.1 169.254.169.254 172.16.0.1 172.31.9.9
192.0.0.1 192.0.2.1 192.168.1.1 198.18.0.1 198.51.100.7 203.0.113.9 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 64:ff9b::7f00:1 64:ff9b::8.8.8.8 64:ff9b:1::a00:1
100::1 2001::1 2001:db8::1 2002:7f00:1:: 2002:808:808:: 3fff::1 fc00::1 fd12:3456::1 fe80::1 fe80::1%1 fec0::1 ff02::1
5f00::1
""".split()
OUTSIDE = "1.1.1.1 8.8.8.8 93.184.215.14 172.32.0.1 100.128.0.1 2606:4700:4700::1111 2a00:1450:4001::200e".split()


@pytest.mark.parametrize("address", INSIDE)
def test_inside_is_denied(address):
    assert not is_allowed(address, 80)


@pytest.mark.parametrize("address", OUTSIDE)
def test_outside_is_allowed_on_web_ports_only(address):
    assert all(is_allowed(address, port) for port in (80, 443, 8080, 8443))
    assert not any(is_allowed(address, port) for port in (22, 25, 53, 6379, 9200, 2525))


def test_what_the_operator_allows_is_allowed_on_any_port():
    allow = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/8"))
    assert is_allowed("10.1.2.3", 9000, allow) and is_allowed("fd00::1", 9000, allow)
    assert not is_allowed("10.2.0.1", 80, allow) and not is_allowed("::ffff:10.1.2.3", 80, allow)


def test_the_socket_looks_at_what_is_really_connected_to():
    with pytest.raises(Denied):
        guarded_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80)), ())
    guarded_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 80)), ()).close()


SPELLINGS = """
127.0.0.1 127.1 0x7f.1 0x7f000001 2130706433 0177.1 0 localhost [::1] [::ffff:127.0.0.1] [::ffff:7f00:1]
[0:0:0:0:0:0:0:1] [64:ff9b::7f00:1] [::] ①②⑦.⓪.⓪.① 127。0。0。1 169.254.169.254 [fe80::1] 10.0.0.1 192.168.0.1
""".split()


@pytest.mark.parametrize("host", SPELLINGS)
async def test_no_spelling_gets_through(host, site):
    site.pages["/"] = b"secret"
    fetcher = Fetcher(Settings(), "test")
    answer = await fetcher.fetch(f"http://{host}:{site.port}/")
    answer_80 = await fetcher.fetch(f"http://{host}/")
    await fetcher.close()
    for each in (answer, answer_80):
        assert isinstance(each, Failed) and not each.temporary and "inside" in each.reason, (host, each)
    assert site.asked == []


ALLOWED = Settings(allow_networks=(ipaddress.ip_network("127.0.0.1/32"),))


@pytest.mark.parametrize(
    "target", ["http://127.0.0.2:{}/", "http://[::1]:{}/", "http://10.0.0.1/", "http://0x7f.2:{}/"]
)
async def test_a_redirect_is_checked_like_the_first_address(target, site):
    site.pages["/"] = (302, {"Location": target.format(site.port)}, b"")
    fetcher = Fetcher(ALLOWED, "test")
    answer = await fetcher.fetch(site.url("/"))
    await fetcher.close()
    assert isinstance(answer, Failed) and "inside" in answer.reason and len(site.asked) == 1


async def test_a_redirect_to_another_scheme_or_with_a_password_is_refused(site):
    fetcher = Fetcher(ALLOWED, "test")
    for target in ("file:///etc/passwd", "ftp://127.0.0.1/", f"http://u:p@127.0.0.1:{site.port}/"):
        site.pages["/"] = (301, {"Location": target}, b"")
        answer = await fetcher.fetch(site.url("/"))
        assert isinstance(answer, Failed) and not answer.temporary
    await fetcher.close()


def _infos(*addresses: str):
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]


async def test_a_name_that_changes_its_address_is_asked_for_once(site):
    """DNS rebinding: the first answer is allowed, each later one is inside. Only the first is ever used."""
    site.pages["/"] = b"fine"
    answers = [_infos("127.0.0.1"), _infos("127.0.0.2"), _infos("10.0.0.1")]
    asked: list[str] = []

    def lookup(host, port):
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    fetcher = Fetcher(ALLOWED, "test", lookup=lookup)
    first = await fetcher.fetch(f"http://rebind.example:{site.port}/")
    assert isinstance(first, Fetched) and asked == ["rebind.example"]
    second = await fetcher.fetch(f"http://rebind.example:{site.port}/")
    await fetcher.close()
    assert isinstance(second, Failed) and "inside" in second.reason and len(site.asked) == 1


async def test_one_address_inside_condemns_the_name(site):
    fetcher = Fetcher(ALLOWED, "test", lookup=lambda host, port: _infos("127.0.0.1", "127.0.0.2"))
    answer = await fetcher.fetch(f"http://both.example:{site.port}/")
    await fetcher.close()
    assert isinstance(answer, Failed) and "inside" in answer.reason and site.asked == []


async def test_a_proxy_of_the_environment_is_not_asked(site, monkeypatch):
    monkeypatch.setenv("http_proxy", site.url("/"))
    fetcher = Fetcher(ALLOWED, "test", lookup=lambda host, port: _infos("192.0.2.1"))
    answer = await fetcher.fetch("http://blog.example/")
    await fetcher.close()
    assert isinstance(answer, Failed) and site.asked == []


async def test_a_port_that_is_no_web_servers_is_refused_outside():
    settings = replace(Settings(), silence_seconds_max=0.2)
    fetcher = Fetcher(settings, "test", lookup=lambda host, port: _infos("8.8.8.8"))
    answer = await fetcher.fetch("http://mail.example:25/")
    await fetcher.close()
    assert isinstance(answer, Failed) and not answer.temporary
