"""Dovecot's folders are read as sources: with IDLE, over a folder that is made anew, and never written to."""

from __future__ import annotations

import asyncio
import imaplib
import os
import shutil
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from heliograph.demo.stage import free_net
from heliograph.founding.certificates import make_ca, make_server
from ingest.mailboxes import rows
from ingest.mailboxes.place import place_of
from ingest.mailboxes.vault import Vault
from tests.ingest.conftest import Host
from tests.ingest.far_server import letter

pytestmark = [pytest.mark.peers, pytest.mark.timeout(120)]
FOLDER = "Lists/Größe & more"
PORT = 2994
CONF = """
base_dir = {here}/run
state_dir = {here}/state
log_path = {here}/log
protocols = imap
listen = {address}
ssl = required
ssl_cert = <{here}/far.pem
ssl_key = <{here}/far.key
mail_location = maildir:{here}/mail/%u:LAYOUT=fs
namespace inbox {{
  inbox = yes
  separator = /
}}
passdb {{
  driver = static
  args = password=open-sesame
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={here}/mail/%u
}}
first_valid_uid = {uid}
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
  }}
}}
service anvil {{
  chroot =
}}
"""


class Dovecot:
    """One of our own, in a folder of its own."""

    def __init__(self, here: Path, address: str) -> None:
        self.here, self.address = here, address
        ca = make_ca("far.example", time.time())
        pair = make_server(ca, host="imap.far.example", domain="far.example", address=address, now=time.time())
        self.ca = here / "ca.pem"
        self.ca.write_bytes(ca.certificate_pem())
        (here / "far.pem").write_bytes(pair.certificate_pem())
        (here / "far.key").write_bytes(pair.key_pem())
        owner = {"uid": 8, "gid": 8, "user": "mail", "group": "mail"}  # Dovecot serves no mail as root
        (here / "dovecot.conf").write_text(CONF.format(here=here, address=address, port=PORT, **owner))
        (here / "mail").mkdir(mode=0o777)
        for folder in (here, here / "mail"):
            os.chown(folder, 8, 8)

    def start(self) -> None:
        self._process = subprocess.Popen(["dovecot", "-F", "-c", str(self.here / "dovecot.conf")])
        give_up = time.monotonic() + 20
        while True:
            try:
                self.client().logout()
                return
            except OSError:
                log = self.here / "log"
                assert time.monotonic() < give_up, log.read_text() if log.exists() else "no log"
                time.sleep(0.1)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)

    def client(self) -> imaplib.IMAP4_SSL:
        context = ssl.create_default_context(cafile=str(self.ca))
        client = imaplib.IMAP4_SSL(self.address, PORT, ssl_context=context, timeout=10)
        client.login("alice", "open-sesame")
        return client

    def add(self, *contents: bytes) -> None:
        with self.client() as client:
            for content in contents:
                assert client.append(quoted(FOLDER), "", imaplib.Time2Internaldate(time.time()), content)[0] == "OK"

    def anew(self) -> None:
        """The folder with all its messages gets other numbers."""
        with self.client() as client:
            client.select(quoted(FOLDER), readonly=True)
            found = client.fetch("1:*", "(INTERNALDATE BODY.PEEK[])")[1]
            kept = [(part[0], part[1]) for part in found if isinstance(part, tuple)]
            client.unselect()
            assert client.delete(quoted(FOLDER))[0] == "OK" and client.create(quoted(FOLDER))[0] == "OK"
            for told, content in kept:
                when = imaplib.Internaldate2tuple(told)
                assert when and client.append(quoted(FOLDER), "", imaplib.Time2Internaldate(when), content)[0] == "OK"


def quoted(folder: str) -> str:
    return f'"{folder.replace("&", "&-").replace("öß", "&APYA3w-")}"'


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    if shutil.which("dovecot") is None:
        pytest.skip("dovecot is not installed: scripts/peers installs it")
    here = Path("/tmp") / f"heliograph-dovecot-{os.getpid()}"  # its sockets' paths must be short, and others may enter
    here.mkdir(mode=0o755)
    with free_net() as net:
        server = Dovecot(here, net.replace(".0/24", ".77"))
        try:
            server.start()
            with server.client() as client:
                assert client.create(quoted(FOLDER))[0] == "OK"
            yield server
        finally:
            server.stop()
            shutil.rmtree(here)


@pytest.fixture
async def host(tmp_path: Path, dovecot: Dovecot) -> AsyncIterator[Host]:
    host = Host(tmp_path, key=bytes(32), mailbox_authorities=str(dovecot.ca))
    await host.poller.start()
    yield host
    await host.close()


def row(host: Host) -> rows.Mailbox:
    found = rows.find(host.store.reader, "lists")
    assert found
    return found


async def test_dovecots_folder_is_read_and_left_as_it_is(host: Host, dovecot: Dovecot) -> None:
    dovecot.add(*(letter(number) for number in range(1, 6)))
    await asyncio.sleep(1.1)  # dates of arrival are whole seconds
    host.now = time.time()
    place = place_of(f"imaps://alice@{dovecot.address}:{PORT}/Lists/Gr%C3%B6%C3%9Fe%20%26%20more")
    secret = Vault(bytes(32)).seal(b"open-sesame", "lists")
    host.store.write_now(lambda tx: rows.add(tx, "lists", "alice", "Lists", place, secret, host.now))
    host.poller.wake()

    def had() -> list[str]:
        return [str(post.message["Subject"]) for post in host.posts]

    await host.until(lambda: row(host).last_at)
    assert had() == ["Letter 3", "Letter 4", "Letter 5"] and "tells of news" in row(host).last_answer
    dovecot.add(letter(6, "x" * 200_000), letter(7, "Gr\u00f6\u00dfe"))
    await host.until(lambda: len(had()) == 5)
    dovecot.anew()
    dovecot.add(letter(8))
    host.now += 60
    host.store.write_now(lambda tx: rows.hurry(tx, "lists", host.now))
    host.poller.wake()
    await host.until(lambda: "Letter 8" in had())
    assert sorted(had()) == [*(f"Letter {number}" for number in (3, 4, 5, 6, 7, 8))]
    with dovecot.client() as client:
        client.select(quoted(FOLDER), readonly=True)
        assert b"Seen" not in b"".join(line for line in client.fetch("1:*", "(FLAGS)")[1] if isinstance(line, bytes))
