"""The peer of bench/fanout.py: mlmmj's list, Postfix's queue, Dovecot's LMTP and mailboxes, in a temporary folder.

Law: tuned as their documents advise (no VERP, 1,000 recipients a message, 50 a delivery, 20 deliveries at once), and
as durable as they come. Runs as a process of its own, which adopts every process it starts, so that at the end the
kernel's account of its children is what the posts cost. Needs root and Debian's mlmmj, postfix, dovecot-lmtpd.

    bench/mlmmj.py 1000 2    one JSON line: the seconds of each of two posts to 1,000 mailboxes; CPU; octets to disk
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from local_port import await_greeting, free_port
from postfix import Postfix, postfix

AUTHOR = "robert@author.test"
LIST = "bob@lists.test"
MAILBOXES = "mailboxes.test"
DELIVERY_SECONDS_MAX = 600.0
LOOK_AGAIN_SECONDS = 0.02
PR_SET_CHILD_SUBREAPER = 36  # prctl(2)

TO_DOVECOT = {
    "virtual_mailbox_domains": MAILBOXES,
    "virtual_mailbox_maps": "static:all",
    "virtual_transport": "lmtp:inet:127.0.0.1:{port}",
    "lmtp_destination_recipient_limit": "50",
    "lmtp_destination_concurrency_limit": "20",
    "smtpd_recipient_limit": "1000",
    "smtpd_client_connection_count_limit": "0",
}
LMTP = """\
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
protocols = lmtp
ssl = no
mail_location = maildir:{folder}/mail/%n
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
auth_username_format = %n
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = home={folder}/mail/%n allow_all_users=yes
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""
FOLDERS = (
    "archive bounce control digesters.d incoming index moderation nomailsubs.d queue queue/discarded requeue subconf"
    " subscribers.d text unsubconf"
).split()


def is_installed() -> bool:
    tools = ("postfix", "dovecot", "mlmmj-receive")
    return os.geteuid() == 0 and all(map(shutil.which, tools)) and Path("/usr/lib/dovecot/lmtp").exists()


def make_list(folder: Path, port: int, followers: int) -> None:
    """Lay out a list as mlmmj-make-ml does, with its subscribers."""
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    controls = {
        "listaddress": LIST,
        "relayhost": "127.0.0.1",
        "smtpport": str(port),
        "verp": "",
        "maxverprecips": "1000",
    }
    for name, value in controls.items():
        (folder / "control" / name).write_text(value + "\n" if value else "")
    (folder / "index").rmdir()
    (folder / "index").write_text("0")
    (folder / "subscribers.d/a").write_text("".join(f"{name}@{MAILBOXES}\n" for name in names(followers)))


def names(followers: int) -> Iterator[str]:
    return (f"reader{number}" for number in range(followers))


@contextmanager
def dovecot(folder: Path) -> Iterator[tuple[int, Path]]:
    """Run LMTP; yield its port and where the mailboxes are."""
    port = free_port()
    (folder / "mail").mkdir(parents=True)
    (folder / "dovecot.conf").write_text(LMTP.format(folder=folder, port=port))
    shutil.chown(folder / "mail", "mail", "mail")
    process = subprocess.Popen(["dovecot", "-c", str(folder / "dovecot.conf"), "-F"])
    try:
        await_greeting(port, b"220")
        yield port, folder / "mail"
    finally:
        process.terminate()
        process.wait(30)


def deliver(folder: Path, mail: Path, followers: int, number: int) -> float:
    """Post once; return the seconds until every mailbox has it."""
    head = f"Return-Path: <{AUTHOR}>\nFrom: {AUTHOR}\nTo: {LIST}\nSubject: {number}\nMessage-ID: <{number}@lists.test>"
    text = f"{head}\n\n{'Fog. ' * 400}\n"
    began = time.perf_counter()
    subprocess.run([shutil.which("mlmmj-receive") or "", "-L", str(folder), "-F"], input=text.encode(), check=True)
    waiting = [mail / name / "new" for name in names(followers)]
    while waiting:
        if time.perf_counter() - began > DELIVERY_SECONDS_MAX:
            raise SystemExit(f"{len(waiting)} mailboxes were not reached")
        waiting = [box for box in waiting if not (box.exists() and sum(1 for _ in box.iterdir()) >= number)]
        time.sleep(LOOK_AGAIN_SECONDS if waiting else 0)
    return time.perf_counter() - began


def run(root: Path, followers: int, posts: int) -> list[float]:
    with dovecot(root / "dovecot") as (port, mail):
        settings = {name: value.format(port=port) for name, value in TO_DOVECOT.items()}
        with postfix(settings, parent=root) as queue:
            make_list(root / "list", queue.port, followers)
            subprocess.run(["chmod", "-R", "a+rX", str(root)], check=True)
            seconds = [deliver(root / "list", mail, followers, number) for number in range(1, posts + 1)]
            _drain(queue)
            return seconds


def _drain(queue: Postfix) -> None:
    """Let the last message leave the queue: its removal is part of the cost."""
    deadline = time.monotonic() + 10
    while queue.queued("active") and time.monotonic() < deadline:
        time.sleep(0.05)


def adopt_orphans() -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise SystemExit("this kernel gives no account of daemons")


def cost() -> tuple[float, int]:
    """Return CPU seconds, and octets that went to disks, of all children that have ended."""
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return used.ru_utime + used.ru_stime, int(fields["write_bytes"])


def main() -> None:
    followers, posts, root = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    adopt_orphans()
    seconds = run(root, followers, posts)
    cpu, octets = cost()
    print(json.dumps({"seconds": seconds, "cpu_s": cpu, "written_octets": octets}))


if __name__ == "__main__":
    main()
