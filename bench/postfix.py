"""A private Postfix in a temporary folder: the peer that the SMTP benches measure against.

Law: nothing outside its folder is touched, and leaving the `with` block ends every process of it. Needs root and
Debian's package postfix (scripts/peers installs it).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local_port import await_greeting, free_port

# Debian's own services and process limits, without chroot (its jail lives outside this folder) and without pickup.
MASTER = """\
127.0.0.1:{port} inet n - n - 200 smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - 200 smtp
relay unix - - n - 200 smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""

# Takes mail for any domain from loopback, as a fabric's host takes it for its fabric.
MAIN = {
    "compatibility_level": "3.6",
    "myhostname": "postfix.test",
    "mydestination": "",
    "relay_domains": "fabric.test",
    "mynetworks": "127.0.0.0/8",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4",
    "alias_maps": "",
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
    "smtpd_forbid_bare_newline": "yes",
    "default_process_limit": "200",
    "message_size_limit": "36700160",
    "smtp_dns_support_level": "disabled",
    "smtp_tls_security_level": "",
    "disable_vrfy_command": "yes",
}

# Durable in the queue before 250, and then left alone: only the accepting is measured.
HOLD = {"smtpd_data_restrictions": "check_sender_access static:HOLD"}


@dataclass(frozen=True, slots=True)
class Postfix:
    """A running instance."""

    folder: Path
    port: int

    def command(self, name: str, *arguments: str) -> str:
        """Run one of its commands (postqueue, postsuper ...) on this instance; return what it printed."""
        done = subprocess.run([name, "-c", str(self.folder / "etc"), *arguments], capture_output=True, text=True)
        return done.stdout

    def queued(self, queue: str) -> int:
        """Count the messages in one of its queues (hold, active, deferred ...)."""
        return sum(len(files) for _, _, files in os.walk(self.folder / "queue" / queue))


def is_installed() -> bool:
    return os.geteuid() == 0 and all(shutil.which(tool) for tool in ("postfix", "smtp-source", "smtp-sink"))


@contextmanager
def postfix(settings: Mapping[str, str] = HOLD, parent: Path | None = None) -> Iterator[Postfix]:
    """Run an instance with these main.cf settings beside `MAIN`; `parent`: on which disk its queue lives."""
    folder = Path(tempfile.mkdtemp(prefix="heliograph-postfix-", dir=parent))
    folder.chmod(0o755)  # its daemons run as the user postfix
    instance = Postfix(folder, free_port())
    try:
        _write_configuration(instance, settings)
        subprocess.run(["postfix", "-c", str(folder / "etc"), "start"], check=True, capture_output=True)
        await_greeting(instance.port, b"220")
        yield instance
    finally:
        subprocess.run(["postfix", "-c", str(folder / "etc"), "stop"], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def _write_configuration(instance: Postfix, settings: Mapping[str, str]) -> None:
    for name in ("etc", "queue", "data"):
        (instance.folder / name).mkdir()
    shutil.chown(instance.folder / "data", "postfix")
    places = {
        "queue_directory": str(instance.folder / "queue"),
        "data_directory": str(instance.folder / "data"),
        "syslog_name": "heliograph-bench",
    }
    main = {**MAIN, **places, **settings}
    (instance.folder / "etc/main.cf").write_text("".join(f"{name} = {value}\n" for name, value in main.items()))
    (instance.folder / "etc/master.cf").write_text(MASTER.format(port=instance.port))
