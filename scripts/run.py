"""`make run`: a fabric of one host in var/, made at the first run, in the foreground.

Law: what is there is never changed. Passwords are generated, printed once, and kept nowhere but as hashes.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

FOLDER = os.environ.get("HELIOGRAPH_DIR", "var")
COMMAND = [sys.executable, "-m", "heliograph", "-C", FOLDER]
TYPED = os.path.relpath(Path(sys.executable).with_name("heliograph"))  # what a person types: it is not on the path
PEOPLE = ("alice", "bob")

SETTINGS = """
Heliograph: follow by e-mail, post by e-mail, read over IMAP.

  In a mail client       address   alice@{domain}    user name   alice    password   {alice}
    incoming   IMAP      {address}  port {imaps} (TLS), or {imap} (STARTTLS)
    outgoing   SMTP      {address}  port {submissions} (TLS), or {submission} (STARTTLS)
    certificates         trust {ca}, or accept the one that is shown

  Or here, in another terminal. alice reads:
    curl --cacert {ca} -u alice:{alice} imaps://{address}:{imaps}/INBOX -X 'UID FETCH 1:* ENVELOPE'
  alice follows bob:
    printf 'From: alice@{domain}\\r\\nSubject: subscribe\\r\\n\\r\\n' | curl --cacert {ca} -u alice:{alice} \\
      smtps://{address}:{submissions} --mail-from alice@{domain} --mail-rcpt bob@reflectors.{domain} -T -
  bob posts to his followers:
    printf 'From: bob@{domain}\\r\\nSubject: Hello\\r\\n\\r\\nGood morning.\\r\\n' | curl --cacert {ca} -u bob:{bob} \\
      smtps://{address}:{submissions} --mail-from bob@{domain} --mail-rcpt bob@reflectors.{domain} -T -

  alice follows a feed by mailing its URL to follow@{domain}. `{command} -C {folder} doctor` looks for trouble.
  Ctrl-C ends it; everything is kept in {folder}/. Starting ...
"""


def ask(*arguments: str, typed: str = "") -> dict[str, object]:
    """Run a command of ours and return its JSON answer; end with its code where it fails."""
    done = subprocess.run([*COMMAND, *arguments, "--json"], input=typed, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def passwords() -> dict[str, str]:
    """Make the fabric and its people where they are missing; return the passwords that were made now."""
    if not (Path(FOLDER) / "heliograph.toml").exists():
        ask("init", FOLDER, "--postmaster", PEOPLE[0])
    rows = ask("account", "list")["accounts"]
    assert isinstance(rows, list)
    there = {row["account"] for row in rows}
    made = {}
    for name in PEOPLE:
        if name not in there:
            made[name] = secrets.token_hex(8)  # one that begins with a hyphen would be an option to swaks
            ask("account", "add", name, "--password-file", "-", typed=made[name])
    return made


def instructions(made: dict[str, str]) -> str:
    from heliograph.configuration.config import load

    config = load(Path(FOLDER))
    shown = {name: made.get(name, "PASSWORD") for name in PEOPLE}
    ports = {name: getattr(config.ports, name) for name in ("imap", "imaps", "submission", "submissions")}
    ca = os.path.relpath(config.tls.ca)
    text = SETTINGS.format(
        domain=config.domain, address=config.hosts[0].address, ca=ca, folder=FOLDER, command=TYPED, **ports, **shown
    )
    if len(made) < len(PEOPLE):
        text += f"  (Passwords were printed at the first run. A new one: {TYPED} -C {FOLDER} account passwd alice)\n"
    return text


def main() -> None:
    print(instructions(passwords()), flush=True)
    os.execv(COMMAND[0], [*COMMAND, "up"])


if __name__ == "__main__":
    main()
