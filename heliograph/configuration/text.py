"""The text of a new heliograph.toml: what an operator reads first.

Law: every setting stands there with its default and a line that says what it does; those with a default are commented
out, so that a later default reaches who never chose.
"""

from __future__ import annotations

from collections.abc import Sequence

from heliograph.configuration.settings import FeedSettings, HostConfig, Ports, SmtpSettings
from mailbox_host.settings import LOG_DAYS
from reflector.settings import Settings as ReflectorSettings

TEXT = """\
# Heliograph: one fabric. Changes take effect when its hosts restart; certificates already on SIGHUP.

domain = "{domain}"
# How many buckets entities are spread over. Fixed for the fabric's life: other fabrics compute with it.
buckets = {buckets}
# The host whose DNS server is the zone's primary: it serves zones/{domain}.zone, the others transfer it.
primary = "{primary}"
# The account that gets mail to postmaster@, abuse@ and the other role names (RFC 2142).
postmaster = "{postmaster}"
# Networks of your own that feeds may be read from, like "10.1.0.0/16". Others inside your network are refused.
feed_allow_networks = []
# Networks that may read https://HOST/metrics; this machine always may. A proxy here must not pass that path on.
metrics_allow_networks = []
{hosts}
# The same on every host. In production: smtp = 25, submission = 587, submissions = 465, imap = 143, imaps = 993,
# dns = 53, https = 443; and let the process bind them (AmbientCapabilities=CAP_NET_BIND_SERVICE). 0 leaves a door of
# mail or IMAP closed, for Postfix or Dovecot to have it; smtp stays open between several hosts, on whichever port.
[ports]
{ports}

# Certificates; {{host}} stands for a host's name. Your own may take the place of the first two: set the paths,
# then send the hosts SIGHUP.
[tls]
# certificate = "tls/{{host}}.pem"
# key = "tls/{{host}}.key"
# ca = "tls/ca.pem"
# stream_certificate = "tls/{{host}}.stream.pem"
# stream_key = "tls/{{host}}.stream.key"

# The zone's ways in and out; without any of this the hosts serve it and transfer it among themselves.
[dns]
# keys = "tsig.keys"                   # TSIG keys as tsig-keygen writes them, mode 0600: `heliograph zone key`
# transfer_key = "transfer"            # the hosts sign transfers and NOTIFY with it, and then others have to sign too
# update_keys = ["operator"]           # whoever signs with one of these may change the zone (nsupdate)
# transfer_to = ["192.0.2.53/32"]      # secondaries of yours that transfer the zone without a key
# notify = ["192.0.2.53:53"]           # secondaries of yours that are told of a new zone
# primary = "192.0.2.53:53"            # BIND, Knot or NSD holds the zone; zones/ here is then not read

[smtp]
# message_octets_max = {smtp.message_octets_max}
# recipients_max = {smtp.recipients_max}
# smarthost = "relay.example.net:587"  # all mail to the outside; without it, by MX
# smarthost_user = "fabric"            # sign in there, under TLS with a certificate that the system trusts
# smarthost_password_file = "smarthost.password"  # its only line, mode 0600
# smarthost_tls = "offered"            # "required": no mail without TLS and such a certificate, nor without a user
# fronts = ["192.0.2.1"]               # servers of yours that hand mail over here (docs/postfix.md); believed in who
# front_name = "mx.example.org"        # the client was, and in what stands under this name in Authentication-Results
# resolver = "127.0.0.1:53"            # several with commas: who refuses is passed over; without it, the system's
# foreign_port = {smtp.foreign_port}

[smtp.relays]
# "example.com" = "192.0.2.7:25"       # mail for one domain goes there

[feeds]
# poll_seconds_min = {feeds.poll_seconds_min}
# poll_seconds_max = {feeds.poll_seconds_max}
# octets_max = {feeds.octets_max}
# mailbox_authorities = ""     # a file of certificates: mail servers of your own that `heliograph mailbox` reads
# push_url = ""                # where hubs (WebSub) reach a host's HTTPS door, like "https://{{host}}.example.com"

[mailboxes]
# mailbox = "lmtp:127.0.0.1:24"  # Dovecot keeps the mailboxes (docs/dovecot.md); in a [[host]], that host's
# quota = "none"              # what an account may keep, like "2G"; posts do not count, and are never refused
# quota_messages = 0          # how many messages; 0: any number
# retention_days = {log_days}        # older posts go, unless a reader has flagged them
# trash_days = 0              # how long a message stays in Trash; 0: for ever
# junk_days = 0               # and in Junk

# Where the zone names a host's standby (a second MX of its buckets: `host standby`), that host has every commit too.
[standby]
# mode = "preferred"          # "required": without the standby nothing is acknowledged (451), and nothing can be lost

[reflectors]
# leaf_threshold = {lists.leaf_threshold}         # followers on one host that get one copy together from then on
# split_threshold = {lists.split_threshold}     # followers outside the fabric before a list becomes a list of lists
# fanout_max = {lists.fanout_max}             # lists below one list, 2 to 16
# mirror_grace_seconds = {lists.mirror_grace_seconds}     # how long we keep following what nobody here follows any more

[federation]
# refuse = ["other.example"]  # fabrics with which there is no traffic: nothing of theirs is followed, nor ours there
"""

HOST = """
[[host]]
name = "{host.name}"
address = "{host.address}"
"""


def configuration_text(domain: str, buckets: int, hosts: Sequence[HostConfig], ports: Ports, postmaster: str) -> str:
    """Write a new configuration."""
    return TEXT.format(
        domain=domain,
        buckets=buckets,
        primary=hosts[0].name,
        postmaster=postmaster,
        hosts="".join(HOST.format(host=host) for host in hosts),
        ports="\n".join(_port_line(name, getattr(ports, name)) for name in Ports.__dataclass_fields__),
        smtp=SmtpSettings(),
        feeds=FeedSettings(),
        log_days=LOG_DAYS,
        lists=ReflectorSettings(),
    )


def _port_line(name: str, port: int) -> str:
    return f"{'# ' if port == getattr(Ports(), name) else ''}{name} = {port}"
