"""The servers beside the fabric: where its mailboxes are, if elsewhere, and the smarthost; do they answer?

Law: it says no more than a greeting takes, and delivers nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

from heliograph.checkup.finding import Finding, fault, good
from heliograph.configuration.settings import Config

ANSWER_SECONDS_MAX = 3.0


def beside(config: Config) -> Iterator[Finding]:
    """Look at each once, from this machine; nothing is said where there are none."""
    here = [host.name for host in config.hosts if config.host_folder(host.name).is_dir()]
    shelves = dict.fromkeys(filter(None, map(config.shelf_of, here)))
    yield from (_look("mailbox", "the LMTP server", place) for place in shelves)
    if config.smtp.smarthost:
        yield _look("smarthost", "the smarthost", config.smtp.smarthost)


def _look(key: str, what: str, place: str) -> Finding:
    try:
        said = _greeting(place)
    except OSError as error:
        text = f"{what} at {place} does not answer: {error}"
        return fault("beside", text, f"start it, or correct `{key}` in heliograph.toml; until then mail for it waits")
    if not said.startswith("220"):
        return fault("beside", f"{what} at {place} greets with {said[:80]!r}", "see its log")
    return good("beside", f"{what} at {place} answers")


def _greeting(place: str) -> str:
    if place.startswith("/"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as local:
            local.settimeout(ANSWER_SECONDS_MAX)
            local.connect(place)
            return local.recv(1000).decode("latin-1")
    host, _, port = place.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS_MAX) as wire:
        return wire.recv(1000).decode("latin-1")
