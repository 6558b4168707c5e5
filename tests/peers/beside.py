"""Postfix and Dovecot beside a fabric, configured by the blocks of docs/postfix.md and docs/dovecot.md as they stand.

Law: of a block only the names of the place are changed (addresses, ports, domain, folders); a block that does not work
fails the tests.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from heliograph.demo.outside import DOMAIN, MAIL_PORT, PLACE
from heliograph.demo.stage import Stage

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "bench"))

from local_port import START_SECONDS_MAX, free_port  # noqa: E402
from postfix import MASTER, is_installed  # noqa: E402

__all__ = ["blocks", "dovecot", "free_port", "is_dovecot_2_4", "is_installed", "placed", "postfix"]

_BLOCK = re.compile(r"^```\w*\n# ([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, file: str, way: str = "") -> str:
    """Return what a page says for a file, under headings that begin with `way`."""
    text = (ROOT / "docs" / page).read_text()
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    parts = [part for part in parts if not way or part.startswith(f"## {way}")]
    found = [content for part in parts for name, content in _BLOCK.findall(part) if name == file]
    assert found, f"{page} has no block for {file}"
    return "".join(found)


def placed(text: str, net: str, domain: str, ports: Mapping[str, int]) -> str:
    """Put the addresses of this place where the page has its examples; `ports`: "25" -> the one that is free."""
    here = net.replace("0/24", "")
    text = text.replace("192.0.2.", here).replace("example.org", domain)
    for port, free in ports.items():
        text = re.sub(rf"({re.escape(here)}\d+:){port}\b", rf"\g<1>{free}", text)
    return text


def _outside(stage: Stage) -> str:
    """The world of the demo has no DNS."""
    place = stage.address(PLACE)
    return f"""
smtp_dns_support_level = disabled
transport_maps = inline:{{ {{ {DOMAIN} = smtp:[{place}]:{MAIL_PORT} }} }}
"""


def _complete(folder: Path) -> str:
    return f"""
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
syslog_name = heliograph-peers
maillog_file = /dev/stdout
mail_owner = postfix
setgid_group = postdrop
inet_protocols = ipv4
alias_database =
"""


@contextmanager
def postfix(stage: Stage, port: int, *ways: str, more: str = "") -> Iterator[Path]:
    """Run it at the first host's address, with what the page says for these ways; yields its log."""
    folder = Path(tempfile.mkdtemp(prefix="heliograph-peers-"))
    folder.chmod(0o755)
    log = folder / "log"
    said = "".join(blocks("postfix.md", "main.cf", way) for way in ways)
    address = stage.address(1)
    main = _complete(folder) + placed(said, stage.net, stage.config.domain, {}) + _outside(stage) + more
    for name in ("etc", "queue", "data"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    (folder / "etc/main.cf").write_text(main)
    master = MASTER.replace("127.0.0.1:{port}", f"{address}:{port}") + "postlog unix-dgram n - n - 1 postlogd\n"
    (folder / "etc/master.cf").write_text(master.format(port=port))
    command = ["postfix", "-c", str(folder / "etc")]
    with log.open("w") as written:
        running = subprocess.Popen([*command, "start-fg"], stdout=written, stderr=written)
    try:
        await_greeting_at(address, port, log)
        yield log
    finally:
        subprocess.run([*command, "stop"], check=False, capture_output=True)
        running.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def await_greeting_at(address: str, port: int, log: Path) -> None:
    """Wait until a server says something."""
    give_up = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            with socket.create_connection((address, port), timeout=5) as connection:
                if connection.recv(1000):
                    return
        except OSError:
            assert time.monotonic() < give_up, f"no server at {address}:{port}\n{log.read_text()}"
        time.sleep(0.1)


def is_dovecot_2_4() -> bool:
    """Tell whether the one that is installed has the newer configuration's words."""
    said = subprocess.run(["dovecot", "--version"], check=True, capture_output=True, text=True).stdout
    return [int(number) for number in re.findall(r"\d+", said)[:2]] >= [2, 4]


OWNER = "mail"  # Debian has it; Dovecot serves nobody's mail as root


@contextmanager
def dovecot(stage: Stage, lmtp_port: int, imaps_port: int, more: str = "") -> Iterator[Path]:
    """Run it at the first host's address, with what the page says; yields its folder (mail/ and log are in it)."""
    folder = Path(tempfile.mkdtemp(prefix="heliograph-peers-"))
    folder.chmod(0o755)
    (folder / "mail").mkdir()
    shutil.chown(folder / "mail", OWNER, OWNER)
    shutil.copy(stage.config.tls.ca, folder / "fabric-ca.pem")
    (folder / "fabric-ca.pem").chmod(0o644)
    page = "dovecot.conf of Dovecot 2.4" if is_dovecot_2_4() else "dovecot.conf"
    said = placed(blocks("dovecot.md", page), stage.net, stage.config.domain, {})
    for words, here in (
        ("/srv/mail", f"{folder}/mail"),
        ("/srv/fabric", str(stage.root)),
        ("/etc/dovecot", str(folder)),
        ("vmail", OWNER),
        ("port = 24\n", f"port = {lmtp_port}\n"),
        ("port = 993\n", f"port = {imaps_port}\n"),
    ):
        assert words in said, words
        said = said.replace(words, here)
    place = f"base_dir = {folder}/run\nstate_dir = {folder}/run\nlog_path = {folder}/log\nfirst_valid_uid = 1\n"
    stats = "service stats {\n  unix_listener stats-writer {\n    mode = 0666\n  }\n}\n"
    (folder / "dovecot.conf").write_text(said + place + stats + more)  # 2.4 wants its own version first
    (folder / "log").touch()
    running = subprocess.Popen(["dovecot", "-F", "-c", str(folder / "dovecot.conf")])
    try:
        await_greeting_at(stage.address(1), lmtp_port, folder / "log")
        yield folder
    finally:
        running.terminate()
        running.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
