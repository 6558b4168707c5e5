"""A private Dovecot in a temporary folder: the peer that bench/imap.py measures against.

Law: nothing outside its folder is touched, and leaving the `with` block ends every process of it. Needs root and
Debian's package dovecot-imapd (scripts/peers installs it).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local_port import await_greeting, free_port

OWNER = "mail"  # whose the mail is: Dovecot serves nobody's as root

# Debian's defaults, with maildir; `mail_fsync = optimized` (its default) has an APPEND on disk before OK.
SETTINGS = """\
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
protocols = imap
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail/%u
mail_uid = {owner}
mail_gid = {owner}
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = home={folder}/home/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Dovecot:
    """An instance, running or about to."""

    folder: Path
    port: int

    def fill(self, user: str, mailbox: str, messages: Iterable[tuple[bytes, bool]]) -> None:
        """Put messages (and whether they are \\Seen) into a mailbox, as a delivery years ago would have left them."""
        maildir = self.folder / "mail" / user / ("" if mailbox == "INBOX" else f".{mailbox}")
        for name in ("cur", "new", "tmp"):
            (maildir / name).mkdir(parents=True)
        for number, (content, seen) in enumerate(messages):
            lines = content.replace(b"\r\n", b"\n")
            name = f"{1_600_000_000 + number}.M{number}.bench,S={len(lines)},W={len(content)}:2,{'S' if seen else ''}"
            (maildir / "cur" / name).write_bytes(lines)


def is_installed() -> bool:
    return os.geteuid() == 0 and shutil.which("dovecot") is not None and Path("/usr/lib/dovecot/imap").exists()


@contextmanager
def prepared(users: Iterable[tuple[str, str]]) -> Iterator[Dovecot]:
    """Make the folder of an instance with these users (name, hash); it is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="heliograph-dovecot-"))
    folder.chmod(0o755)  # its processes run as other users
    instance = Dovecot(folder, free_port())
    try:
        settings = SETTINGS.format(folder=folder, port=instance.port, owner=OWNER)
        (folder / "dovecot.conf").write_text(settings)
        (folder / "users").write_text("".join(f"{name}:{{ARGON2ID}}{hashed}::::::\n" for name, hashed in users))
        (folder / "mail").mkdir()
        yield instance
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(instance: Dovecot) -> Iterator[None]:
    """Run it."""
    command = ["dovecot", "-c", str(instance.folder / "dovecot.conf")]
    subprocess.run(["chown", "-R", f"{OWNER}:{OWNER}", str(instance.folder / "mail")], check=True)
    process = subprocess.Popen([*command, "-F"])
    try:
        await_greeting(instance.port, b"* OK")
        yield
    finally:
        process.terminate()
        process.wait(30)
