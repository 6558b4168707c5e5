"""A whole fabric in one event loop, and its people with their clients.

Law: everything goes over real sockets, as clients do it; the databases are looked into only to know when all is still.
"""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import imaplib
import ipaddress
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from functools import cache
from pathlib import Path
from typing import TypeVar

import aiosmtplib
from aiosmtpd.smtp import SMTP

from heliograph.acts import operations
from heliograph.configuration.config import load
from heliograph.configuration.settings import FILE_NAME, Config, Ports
from heliograph.founding.init import Wish, plan
from heliograph.founding.new_folder import make_folder
from heliograph.host import Host
from heliograph.outside.seals import Seal, make_seals
from mailbox_host import outward
from mailbox_host.passwords import hash_password
from spool import listing
from tests.fabric.abroad import Abroad

DOMAIN = "fabric.test"
OUTSIDE = "elsewhere.example"
OUTSIDE_PORT = 2626
PASSWORD = "correct horse"
# A zone of 4,096 buckets takes three quarters of a town's start. Those are for stories of real processes
# (`heliograph.demo.stage`), and of the zone; this count puts people where that one does.
BUCKETS = 365
HOMES = {"erin": "host-1", "heidi": "host-2", "alice": "host-3", "bob": "host-3"}
PATIENCE_SECONDS = 20.0  # a story that waits so long has failed; on an idle machine nothing takes one

Found = TypeVar("Found")


@cache
def host_seals(host: str) -> tuple[Seal, ...]:
    """RSA keys take longer than the rest of a fabric's folder: all towns of a process have the same."""
    return make_seals(host)


def make_fabric(root: Path, net: str, hosts: int = 3, outside: str = "", buckets: int = BUCKETS) -> Config:
    """Write a fabric's folder. Mail for OUTSIDE goes to `outside`, where feeds may be read from too."""
    wish = Wish(DOMAIN, hosts, buckets, ipaddress.ip_network(net), "", Ports())
    decided = plan(wish, time.time(), os.urandom, host_seals)
    make_folder(root, decided.files, decided.configuration)
    text = (root / FILE_NAME).read_text()
    if outside:
        text = text.replace("feed_allow_networks = []", f'feed_allow_networks = ["{outside}/32"]')
        text = text.replace("[smtp.relays]", f'[smtp.relays]\n"{OUTSIDE}" = "{outside}:{OUTSIDE_PORT}"')
        text = text.replace("[feeds]", "[feeds]\npoll_seconds_min = 1")
        (root / FILE_NAME).write_text(text)
    return load(root)


@cache
def password_hash() -> str:
    return hash_password(PASSWORD.encode())


class Town:
    """The hosts of a fabric, each of which can be stopped and started again, and a foreign mail server."""

    def __init__(self, config: Config, net: str) -> None:
        self.config, self.net = config, net
        self.hosts: dict[str, Host] = {}
        self.abroad = Abroad()

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[Town]:
        """All hosts up, with the people of HOMES."""
        loop = asyncio.get_running_loop()
        foreign = await loop.create_server(lambda: SMTP(self.abroad, hostname="mx"), self.address(50), OUTSIDE_PORT)
        try:
            await self.start()
            await self.add(*HOMES)
            yield self
        finally:
            foreign.close()
            await self.stop()

    def address(self, number: int) -> str:
        """An address of this fabric's network: hosts have 1, 2, 3; the outside has others."""
        return self.net.replace(".0/24", f".{number}")

    async def start(self, *names: str) -> None:
        for name in names or [host.name for host in self.config.hosts]:
            host = Host(self.config, name)
            await host.start()
            self.hosts[name] = host

    async def stop(self, *names: str) -> None:
        for name in names or list(self.hosts):
            await self.hosts.pop(name).stop()

    async def add(self, *names: str) -> None:
        """Make accounts where their buckets are, and wait until their reflectors know them."""
        for name in names:
            await self._add(self.hosts[self.home(name)], name)
        await self.still()

    async def _add(self, host: Host, name: str) -> None:
        site, hashed = host._site(), password_hash()
        await host.store.write(lambda tx: operations.add_account(tx, site, time.time(), name, hashed))

    def home(self, name: str) -> str:
        directory = next(iter(self.hosts.values())).directory.current
        return directory.owner("timeline", directory.names.bucket(name))

    def waiting(self) -> list[listing.Waiting]:
        """What is queued on the running hosts."""
        return [row for host in self.hosts.values() for row in listing.waiting(host.store.reader)]

    async def still(self) -> None:
        """Wait until nothing is queued anywhere: a message is in one queue or another until it is filed; for mailboxes
        of another server, in a log until it is handed out."""
        await until(self.is_still, lambda: f"still queued: {self.waiting()}")

    def is_still(self) -> bool:
        """What leaves a queue may be due to be handed out; what is handed out is in a queue again."""
        return not self.waiting() and not self._is_due() and not self.waiting()

    def _is_due(self) -> bool:
        return any(outward.is_due(host.store.reader) for host in self.hosts.values())

    def person(self, name: str, at: int = 1) -> Person:
        """A person whose client is set to the host with this number."""
        return Person(self.config, name, self.address(at))


class Person:
    """An account, and a mail client."""

    def __init__(self, config: Config, name: str, host: str, password: str = PASSWORD) -> None:
        self.config, self.name, self.host, self.password = config, name, host, password

    @property
    def mail(self) -> str:
        return f"{self.name}@{DOMAIN}"

    async def send(self, to: str | Sequence[str], subject: str, text: str = "", sender: str = "") -> str:
        """Write and submit a letter; return the reply, "code text": the first refusal, if there is one."""
        recipients = [to] if isinstance(to, str) else list(to)
        return await self.submit(letter(sender or self.mail, recipients[0], subject, text), recipients)

    async def submit(self, content: bytes, recipients: Sequence[str], sender: str | None = None) -> str:
        """Submit these very octets."""
        context = ssl.create_default_context(cafile=str(self.config.tls.ca))
        port = self.config.ports.submissions
        client = aiosmtplib.SMTP(hostname=self.host, port=port, use_tls=True, tls_context=context, timeout=30)
        return await say(
            client, self.mail if sender is None else sender, recipients, content, (self.name, self.password)
        )

    async def letters(self, folder: str = "INBOX") -> list[EmailMessage]:
        """Read a folder, oldest first."""
        return await asyncio.to_thread(self._letters, folder)

    async def subjects(self, folder: str = "INBOX") -> list[str]:
        return [str(found["Subject"]) for found in await self.letters(folder)]

    async def posts(self, folder: str = "INBOX") -> list[tuple[int, str]]:
        """The posts in a folder: number and subject."""
        found = [letter for letter in await self.letters(folder) if letter["Heliograph-Post"]]
        return [(int(post["Heliograph-Post"]), str(post["Subject"])) for post in found]

    @contextlib.contextmanager
    def session(self) -> Iterator[imaplib.IMAP4]:
        """Sign in (blocking: from a thread)."""
        client = imaplib.IMAP4(self.host, self.config.ports.imap, timeout=20)
        try:
            client.login(self.name, self.password)
            yield client
        finally:
            with contextlib.suppress(imaplib.IMAP4.error, OSError):
                client.logout()

    def _letters(self, folder: str) -> list[EmailMessage]:
        with self.session() as client:
            client.select(folder, readonly=True)
            _, found = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
            return [read(part[1]) for part in found if isinstance(part, tuple)]


async def from_outside(host: str, port: int, sender: str, recipients: Sequence[str], content: bytes) -> str:
    """Send mail to the fabric as the world does, without signing in; return the reply."""
    return await say(
        aiosmtplib.SMTP(hostname=host, port=port, start_tls=False, timeout=30), sender, recipients, content
    )


async def say(
    client: aiosmtplib.SMTP,
    sender: str,
    recipients: Sequence[str],
    content: bytes,
    login: tuple[str, str] | None = None,
) -> str:
    """One transaction; the first refusal, or the reply to the content, as "code text"."""
    try:
        async with client:
            if login:
                await client.login(*login)
            await client.mail(sender)
            for recipient in recipients:
                await client.rcpt(recipient)
            response = await client.data(content)
            return f"{response.code} {response.message}"
    except aiosmtplib.SMTPResponseException as refused:
        return f"{refused.code} {refused.message}"


def letter(sender: str, to: str, subject: str, text: str = "", **fields: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=sender.rpartition("@")[2].rstrip(">"))
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    message.set_content(text or subject)
    return message.as_bytes(policy=email.policy.SMTP)


def read(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)  # type: ignore[arg-type,return-value]


async def until(
    look: Callable[[], Found], what: Callable[[], str] = lambda: "it never happened", seconds: float = PATIENCE_SECONDS
) -> Found:
    """Look until there is something, and return it."""
    give_up = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < give_up, what()
        await asyncio.sleep(0.01)
    return found
