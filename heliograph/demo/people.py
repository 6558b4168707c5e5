"""A person with a mail client: submits over SMTP, reads over IMAP, verifies certificates.

Law: nothing of the fabric is used here but its addresses, ports and CA, as any client would.
"""

from __future__ import annotations

import contextlib
import email
import email.policy
import imaplib
import re
import smtplib
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from heliograph.demo.stage import PASSWORD, Stage

CONNECT_SECONDS_MAX = 10.0
LOOK_AGAIN_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as a reader sees it."""

    sender: str
    subject: str
    text: str
    list_id: str
    reply_to: str


@dataclass(frozen=True, slots=True)
class Person:
    """An account, and the host that its client is set to (any host will do)."""

    stage: Stage
    name: str
    host: int = 1

    @property
    def address(self) -> str:
        return f"{self.name}@{self.stage.config.domain}"

    def send(self, to: str, subject: str, text: str = "", sender: str = "") -> tuple[int, str]:
        """Submit a message; return the reply to it, or to what was refused first."""
        message = letter(sender or self.address, to, subject, text, self.stage.config.domain)
        with self.submission() as client:
            try:
                refused = client.send_message(message, self.address, [to])
            except smtplib.SMTPRecipientsRefused as error:
                return _reply(error.recipients[to])
            except smtplib.SMTPResponseException as error:
                return _reply((error.smtp_code, error.smtp_error))
            return _reply(refused[to]) if to in refused else (250, "accepted")

    @contextlib.contextmanager
    def submission(self) -> Iterator[smtplib.SMTP_SSL]:
        config = self.stage.config
        address = config.hosts[self.host - 1].address
        context = ssl.create_default_context(cafile=str(config.tls.ca))
        client = smtplib.SMTP_SSL(address, config.ports.submissions, timeout=CONNECT_SECONDS_MAX, context=context)
        try:
            client.login(self.name, PASSWORD)
            yield client
        finally:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                client.quit()

    @contextlib.contextmanager
    def mailbox(self, folder: str = "INBOX", *, changes: bool = True) -> Iterator[imaplib.IMAP4_SSL]:
        """Sign in and open a folder, for reading only where nothing `changes`."""
        config = self.stage.config
        place = self.stage.imap_at or (config.hosts[self.host - 1].address, config.ports.imaps)
        context = ssl.create_default_context(cafile=str(config.tls.ca))
        client = imaplib.IMAP4_SSL(*place, ssl_context=context, timeout=CONNECT_SECONDS_MAX)
        try:
            client.login(self.name, PASSWORD)
            client.select(folder, readonly=not changes)
            yield client
        finally:
            with contextlib.suppress(imaplib.IMAP4.error, OSError):
                client.logout()

    def letters(self, folder: str = "INBOX") -> list[Letter]:
        """Read everything in a folder."""
        with self.mailbox(folder, changes=False) as client:
            _, found = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
            return [read(part[1]) for part in found if isinstance(part, tuple)]

    def wait_for(self, wanted: Callable[[Letter], bool], seconds: float = 15.0) -> Letter | None:
        """Look until a letter is there; None where it does not come."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            with contextlib.suppress(imaplib.IMAP4.error, OSError):  # a host may be down for a moment
                for found in self.letters():
                    if wanted(found):
                        return found
            time.sleep(LOOK_AGAIN_SECONDS)
        return None

    def wait_for_subject(self, text: str, seconds: float = 15.0) -> Letter | None:
        return self.wait_for(lambda found: text in found.subject, seconds)


class Idler:
    """A client in IDLE (RFC 2177): imaplib has none before Python 3.14."""

    def __init__(self, client: imaplib.IMAP4_SSL) -> None:
        self._client = client
        self._tag = b"idle1"
        client.send(self._tag + b" IDLE\r\n")
        line = client.readline()
        while line and not line.startswith(b"+"):
            line = client.readline()

    def wait(self, seconds: float = 15.0) -> bytes:
        """Return the first ``* N EXISTS`` that comes, or b""."""
        self._client.sock.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            while line := self._client.readline():
                if re.match(rb"\* [0-9]+ EXISTS", line):
                    return line.strip()
        return b""

    def done(self) -> None:
        self._client.send(b"DONE\r\n")
        while (line := self._client.readline()) and not line.startswith(self._tag):
            pass


def letter(sender: str, to: str, subject: str, text: str, domain: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=domain)
    message.set_content(text or subject)
    return message


def read(content: bytes) -> Letter:
    message = email.message_from_bytes(content, policy=email.policy.default)
    body = message.get_body(("plain", "html"))
    text = body.get_content() if body is not None else ""
    return Letter(
        str(message["From"]),
        str(message["Subject"]),
        text,
        str(message["List-Id"] or ""),
        str(message["Reply-To"] or ""),
    )


def _reply(answer: tuple[int, bytes | str]) -> tuple[int, str]:
    code, text = answer
    return code, text.decode(errors="replace") if isinstance(text, bytes) else text
