"""What an operator writes into heliograph.toml, and what is said of mistakes."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from heliograph.configuration.config import ConfigError, load
from heliograph.configuration.sizes import read_size, show_size
from heliograph.configuration.smarthost import access
from mailbox_host.quota import Quota
from spool.peer import Access, Login

GOOD = """
domain = "fabric.test"
buckets = 4096
primary = "host-1"
feed_allow_networks = ["10.1.0.0/16"]

[[host]]
name = "host-1"
address = "127.0.0.1"

[[host]]
name = "host-2"
address = "127.0.0.2"

[ports]
smtp = 25

[tls]
certificate = "/etc/ssl/{host}.pem"

[smtp.relays]
"Example.COM" = "127.0.0.1:1025"
"""


def written(folder: Path, text: str) -> Path:
    (folder / "heliograph.toml").write_text(text)
    return folder


def test_a_good_file_is_read_whole(tmp_path: Path) -> None:
    config = load(written(tmp_path, GOOD))
    assert [(host.name, host.address) for host in config.hosts] == [("host-1", "127.0.0.1"), ("host-2", "127.0.0.2")]
    assert (config.ports.smtp, config.ports.imaps) == (25, 2993)
    assert config.tls.of("host-2").certificate == Path("/etc/ssl/host-2.pem")
    assert config.tls.of("host-2").stream_key == tmp_path / "tls" / "host-2.stream.key"
    assert config.smtp.relays == {"example.com": "127.0.0.1:1025"}
    assert config.feeds.allow_networks == (ipaddress.ip_network("10.1.0.0/16"),)
    assert config.mailboxes.quota == Quota() and config.mailboxes.log_days == 400
    assert config.host_folder("host-1") == tmp_path / "hosts" / "host-1"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('domain = "fabric.test"', 'domain = "Fabric"', "line 2: domain is no domain"),
        ('domain = "fabric.test"', "", "domain is missing"),
        ("buckets = 4096", "buckets = 0", "line 3: buckets is 0: choose 1 to 65536"),
        ("buckets = 4096", 'buckets = "many"', "buckets must be a whole number"),
        ("buckets = 4096", "bucket = 4096\nbuckets = 4096", "did you mean 'buckets'?"),
        ('primary = "host-1"', 'primary = "host-9"', "primary names no host"),
        ('name = "host-2"', 'name = "host-1"', "two with the name host-1"),
        ('name = "host-2"', 'name = "timeline"', "line 12: host.name cannot be 'timeline'"),
        ('name = "host-2"', 'name = "mail"', "host.name cannot be 'mail'"),  # a name that all hosts share
        ('name = "host-2"', 'name = "promote"', "host.name cannot be 'promote'"),  # `heliograph host promote`
        ('address = "127.0.0.2"', 'address = "here"', "line 13: host.address is no IP address"),
        ('address = "127.0.0.1"', 'address = "here"', "line 9: host.address is no IP address"),
        ("smtp = 25", "smpt = 25", "ports.smpt is not known: did you mean 'smtp'?"),
        ("smtp = 25", "smtp = 2143", "ports.smtp is 2143, and so is imap"),
        ("smtp = 25", "smtp = 70000", "ports.smtp is 70000: choose 0 to 65535"),
        ("smtp = 25", "smtp = 0", "ports.smtp is 0: the hosts bring each other mail there"),
        ("smtp = 25", "dns = 0", "ports.dns is 0: choose 1 to 65535"),
        ("[smtp.relays]", '[smtp]\nsmarthost_user = "x"\n[smtp.relays]', "smtp.smarthost_user stands alone"),
        ("[smtp.relays]", '[smtp]\nsmarthost = "a:25, b:25"\n[smtp.relays]', "smtp.smarthost is 'a:25, b:25'"),
        ("[smtp.relays]", '[standby]\nmode = "always"\n[smtp.relays]', "standby.mode is 'always'"),
        ("[smtp.relays]", '[smtp]\nsmarthost_tls = "yes"\n[smtp.relays]', "smtp.smarthost_tls is 'yes'"),
        ("10.1.0.0/16", "10.1.0.1/16", "feed_allow_networks"),
        ("127.0.0.1:1025", "127.0.0.1", "smtp.relays"),
        ("[ports]", "[ports", "is not TOML"),
    ],
)
def test_a_mistake_is_named_with_what_to_do(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as complaint:
        load(written(tmp_path, GOOD.replace(old, new, 1)))
    assert said in str(complaint.value)
    assert "heliograph.toml" in str(complaint.value)


def test_no_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="heliograph init"):
        load(tmp_path)


def test_sizes_are_read_as_they_are_shown(tmp_path: Path) -> None:
    for text, octets in (("none", 0), ("2G", 2 << 30), ("500M", 500 << 20), ("1k", 1024), ("1537", 1537)):
        assert read_size(text) == octets and read_size(show_size(octets)) == octets
    mailboxes = '[mailboxes]\nquota = "2G"\nretention_days = 100\ntrash_days = 30\n'
    read = load(written(tmp_path, GOOD + mailboxes)).mailboxes
    assert (read.quota, read.log_days, dict(read.days)) == (Quota(2 << 30), 100, {"\\Trash": 30, "\\Junk": 0})
    for wrong in ('quota = "2 apples"', 'quota = "0"', 'quota = "-1"', "retention_days = 20", "trash_days = -1"):
        with pytest.raises(ConfigError, match=r"line \d+: mailboxes\."):
            load(written(tmp_path, f"{GOOD}[mailboxes]\n{wrong}\n"))


def test_doors_that_another_server_has_stay_closed(tmp_path: Path) -> None:
    two, zeros = GOOD.split("[[host]]")[2], "smtp = 0\nlmtp = 0\nimap = 0\nimaps = 0\nsubmission = 0"
    one = GOOD.replace(f"[[host]]{two.partition('[ports]')[0]}", "").replace("smtp = 25", zeros)
    ports = load(written(tmp_path, one)).ports
    assert (ports.smtp, ports.lmtp, ports.imap, ports.imaps, ports.submission, ports.submissions) == (0,) * 5 + (2465,)
    several = load(written(tmp_path, GOOD.replace("smtp = 25", "lmtp = 0\nimap = 0"))).ports
    assert (several.smtp, several.lmtp) == (2525, 0)


def test_the_smarthosts_password_is_read_from_a_file_of_ours_alone(tmp_path: Path) -> None:
    lines = 'smarthost = "{}"\nsmarthost_user = "fabric"\nsmarthost_password_file = "secret"\n'
    (tmp_path / "secret").write_text("s3cret\n")
    (tmp_path / "secret").chmod(0o600)
    for place, strict in (("relay.example.net:587", True), ("127.0.0.1:25", False)):
        smtp = load(
            written(tmp_path, GOOD.replace("[smtp.relays]", f"[smtp]\n{lines.format(place)}[smtp.relays]"))
        ).smtp
        assert dict(access(smtp)) == {place: Access(Login("fabric", "s3cret"), strict)}
    (tmp_path / "secret").chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        access(smtp)


def test_where_hubs_reach_a_host(tmp_path: Path) -> None:
    for right in ("https://{host}.example.com", "https://feeds.example.com:8443/heliograph"):
        assert load(written(tmp_path, f'{GOOD}[feeds]\npush_url = "{right}"\n')).feeds.push_url == right
    for wrong in ("http://example.com", "example.com", "https://example.com/?x", "https://{name}.example.com"):
        with pytest.raises(ConfigError, match=r"line \d+: feeds\.push_url"):
            load(written(tmp_path, f'{GOOD}[feeds]\npush_url = "{wrong}"\n'))
