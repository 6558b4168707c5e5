"""What goes on in a fabric, without a pause: posts, letters, commands, feeds, readers; and what was promised by 250.

Law: every letter has a mark of its own, its Subject, by which it is counted at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import random
import re
import ssl
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from heliograph.demo.outside import DOMAIN as OUTSIDE
from heliograph.demo.outside import Site
from heliograph.demo.stage import PASSWORD, Stage
from tests.soak.client import Client

SOURCES = ("bob", "heidi", "erin")  # host-3, host-2, host-1
STEADY = ("alice", "dave", "ivan")  # host-3, host-1, host-2: they follow all sources, all the time
RESTLESS = ("carol", "frank", "olivia")  # host-3, host-1, host-2: they come and go
PEOPLE = (*SOURCES, *STEADY, *RESTLESS)
ZOE = f"zoe@{OUTSIDE}"

PAUSE_SECONDS = 0.2  # at most, between two letters of one person
IMAP_SECONDS_MAX = 30.0
FEED_SECONDS = 1.0  # between two items
LISTED_MAX = 300  # items, so many seconds: no host is away for longer


class Journal(Site):
    """A feed whose items are dated by the moment that they were published in; it lists the newest, as feeds do."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.dates = [time.time()] * len(self.titles)

    def publish(self, title: str) -> None:
        self.dates.append(time.time())
        self.titles.append(title)

    def feed(self) -> bytes:
        first = max(0, len(self.titles) - LISTED_MAX)
        items = list(zip(self.dates, self.titles, range(len(self.titles)), strict=False))[first:]
        entries = "".join(self._item(*item) for item in reversed(items))
        head = f"<title>Lighthouse log</title><id>{self.url}</id>"
        return f'<feed xmlns="http://www.w3.org/2005/Atom">{head}{entries}</feed>'.encode()

    def _item(self, date: float, title: str, number: int) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(date))
        link = f'<id>{self.url}#{number}</id><link href="{self.url}#{number}"/>'
        return f"<entry>{link}<title>{title}</title><updated>{stamp}</updated><content>{title}</content></entry>"


@dataclass(slots=True)
class Promises:
    """What the fabric said 250 to: marks by source, by recipient, by follower and source."""

    posts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    letters: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    commands: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # follower, source, word
    items: list[str] = field(default_factory=list)
    filed: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # by APPEND, in Sent
    flagged: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    seen: dict[tuple[str, bytes, int], str] = field(default_factory=dict)  # account, UIDVALIDITY, UID: the mark
    changed: list[str] = field(default_factory=list)  # UIDs that were seen with another mark before


class Traffic:
    """Everybody at once, until told to stop; then each finishes what they are saying."""

    def __init__(self, stage: Stage, site: Journal, seed: int) -> None:
        self.promises = Promises()
        self._stage, self._config, self._site = stage, stage.config, site
        self._domain = self._config.domain
        self._seed = seed
        self._stopping = asyncio.Event()
        self._number = 0
        self.clients: list[Client] = []

    async def run(self) -> None:
        """Carry on until `stop`; whoever fails fails all."""
        work = [
            *(self._post(name) for name in SOURCES),
            *(self._write(name) for name in PEOPLE),
            *(self._wander(name) for name in RESTLESS),
            *(self._read(name) for name in STEADY),
            *(self._file(name) for name in STEADY),
            self._write_from_outside(),
            self._publish(),
        ]
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
        for client in self.clients:
            await client.close()

    def stop(self) -> None:
        self._stopping.set()

    async def command(self, client: Client, follower: str, source: str, word: str) -> None:
        """Send a command; it has a Message-ID, so that a repeat of it is known."""
        to = f"{source}+{word}@reflectors.{self._domain}"
        mark = self._mark(word)
        await client.say(self._letter(follower, to, mark), f"{follower}@{self._domain}", [to])
        self.promises.commands[follower, source, word] += 1

    def client(self, name: str) -> Client:
        client = Client(self._config, name, self._chance(name or "outside"))
        self.clients.append(client)
        return client

    async def _post(self, source: str) -> None:
        client, to = self.client(source), f"{source}@reflectors.{self._domain}"
        async for _ in self._again(source):
            mark = self._mark(f"post-{source}")
            await client.say(self._letter(source, to, mark), f"{source}@{self._domain}", [to])
            self.promises.posts[source].append(mark)

    async def _write(self, name: str) -> None:
        """Letters to several people at once, on several hosts, sometimes abroad too."""
        client = self.client(name)
        async for chance in self._again(f"write {name}"):
            names = chance.sample(PEOPLE, chance.randint(1, 4))
            recipients = [f"{one}@{self._domain}" for one in names] + [ZOE] * (chance.random() < 0.3)
            mark = self._mark(f"letter-{name}")
            await client.say(self._letter(name, recipients[0], mark), f"{name}@{self._domain}", recipients)
            self._promise(recipients, mark)

    async def _write_from_outside(self) -> None:
        client = self.client("")
        async for chance in self._again("outside"):
            recipients = [f"{one}@{self._domain}" for one in chance.sample(PEOPLE, chance.randint(1, 3))]
            mark = self._mark("outside")
            await client.say(self._letter(ZOE, recipients[0], mark), ZOE, recipients)
            self._promise(recipients, mark)

    async def _wander(self, follower: str) -> None:
        client, word = self.client(follower), dict.fromkeys(SOURCES, "subscribe")
        async for chance in self._again(f"wander {follower}"):
            source = chance.choice(SOURCES)
            await self.command(client, follower, source, word[source])
            word[source] = "unsubscribe" if word[source] == "subscribe" else "subscribe"

    async def _publish(self) -> None:
        while not self._stopping.is_set():
            title = self._mark("item")
            self._site.publish(title)
            self.promises.items.append(title)
            await self._pause(FEED_SECONDS)

    async def _read(self, name: str) -> None:
        """Look at a mailbox again and again: a UID that was shown must go on to mean what it meant."""
        async for chance in self._again(f"read {name}"):
            host = chance.choice(self._config.hosts).address
            with contextlib.suppress(imaplib.IMAP4.error, OSError):
                validity, found = await asyncio.to_thread(newest, host, self._config.ports.imap, name)
                for uid, mark in found:
                    before = self.promises.seen.setdefault((name, validity, uid), mark)
                    if before != mark:
                        self.promises.changed.append(f"{name}: UID {uid} was {before}, is {mark}")

    async def _file(self, name: str) -> None:
        """Keep letters in Sent, and flag them. APPEND cannot be said again: what has no OK may be there or not."""
        async for chance in self._again(f"file {name}"):
            mark, host = self._mark("draft"), chance.choice(self._config.hosts).address
            content = self._letter(name, ZOE, mark)
            with contextlib.suppress(imaplib.IMAP4.error, OSError):
                await asyncio.to_thread(
                    file_and_flag, host, self._config.ports.imap, name, content, mark, self.promises
                )

    async def _again(self, who: str):  # type: ignore[no-untyped-def]
        """Once more and once more, with pauses, until told to stop."""
        chance = self._chance(who)
        while not self._stopping.is_set():
            yield chance
            await self._pause(chance.random() * PAUSE_SECONDS)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _promise(self, recipients: list[str], mark: str) -> None:
        for recipient in recipients:
            self.promises.letters[recipient].append(mark)

    def _mark(self, what: str) -> str:
        self._number += 1
        return f"{what}-{self._number}"

    def _chance(self, who: str) -> random.Random:
        return random.Random(f"{self._seed} {who}")

    def _letter(self, sender: str, to: str, mark: str) -> bytes:
        message = EmailMessage()
        message["From"] = sender if "@" in sender else f"{sender}@{self._domain}"
        message["To"], message["Subject"], message["Date"] = to, mark, formatdate()
        message["Message-ID"] = f"<{mark}.{self._seed}@soak.test>"
        message.set_content(f"{mark}\n" * 20)
        return message.as_bytes(policy=SMTP)


@contextlib.contextmanager
def signed_in(host: str, port: int, name: str) -> Iterator[imaplib.IMAP4]:
    """A session; what the certificate says is asked elsewhere."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with imaplib.IMAP4(host, port, timeout=IMAP_SECONDS_MAX) as client:
        client.starttls(context)
        client.login(name, PASSWORD)
        yield client


def newest(host: str, port: int, name: str, since: str = "*") -> tuple[bytes, list[tuple[int, str]]]:
    """Sign in and read the UIDs and Subjects of a mailbox from `since` on; the newest alone, if nothing is said."""
    with signed_in(host, port, name) as client:
        done, said = client.select("INBOX", readonly=True)
        if done != "OK":
            raise imaplib.IMAP4.error(f"SELECT: {said!r}")
        validity = client.untagged_responses["UIDVALIDITY"][0]
        _, found = client.uid("FETCH", f"{since}:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return validity, [(_uid(part[0]), _subject(part[1])) for part in found if isinstance(part, tuple)]


def file_and_flag(host: str, port: int, name: str, content: bytes, mark: str, promises: Promises) -> None:
    """APPEND, then STORE; each is promised when its OK is heard."""
    with signed_in(host, port, name) as client:
        done, said = client.append("Sent", "", "", content)
        if done != "OK":
            return
        promises.filed[name].append(mark)
        uid = re.search(rb"APPENDUID [0-9]+ ([0-9]+)", said[0])
        if (
            uid
            and client.select("Sent")[0] == "OK"
            and client.uid("STORE", uid[1].decode(), "+FLAGS", "(\\Flagged)")[0] == "OK"
        ):
            promises.flagged[name].append(mark)


def read_folder(host: str, port: int, name: str, folder: str = "Sent") -> list[tuple[str, bool]]:
    """Every message's mark, and whether it is flagged."""
    with signed_in(host, port, name) as client:
        client.select(folder, readonly=True)
        _, found = client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return [(_subject(part[1]), b"\\Flagged" in part[0]) for part in found if isinstance(part, tuple)]


def _uid(head: bytes) -> int:
    match = re.search(rb"UID ([0-9]+)", head)
    assert match, head
    return int(match[1])


def _subject(field: bytes) -> str:
    return field.decode().partition(":")[2].strip()
