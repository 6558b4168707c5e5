"""What a running host has for the world outside its fabric: the stamp on what leaves, and where the world finds it.

Law: here the parts meet the configuration; none of them reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from directory.fabric import MAIL
from directory.snapshot import Directory
from heliograph.configuration.settings import Config
from heliograph.outside.postmark import Postmark
from heliograph.outside.seals import Signer, read_seals


def postmark(config: Config, host: str, current: Callable[[], Directory]) -> Postmark:
    """The stamp of a host. `current`: the zone as it is."""
    read = partial(read_seals, config.host_folder(host), host)
    read()  # a key that cannot be read is told of at the start, not with the first mail
    signer = Signer(read, lambda selector: current().dkim.get(selector, ()), lambda: current().serial)
    return Postmark(current, signer.usable, web_place(config))


def web_place(config: Config) -> str:
    """Where the world finds any of the fabric's hosts over HTTPS."""
    port = config.ports.https
    return f"https://{MAIL}.{config.domain}" + (f":{port}" if port != 443 else "")
