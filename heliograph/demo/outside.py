"""The world outside the fabric: a mailbox on a foreign mail server, and a web site with a feed.

Law: both listen on the stage's own network and keep what they get in memory.
"""

from __future__ import annotations

import contextlib
import email.policy
import http.server
import smtplib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from heliograph.demo.people import Letter, letter, read
from heliograph.demo.stage import Stage

PLACE = 50  # the last number of the outside's address
MAIL_PORT = 2626
WEB_PORT = 2680
DOMAIN = "elsewhere.example"
LOOK_AGAIN_SECONDS = 0.05
SAY_SECONDS_MAX = 15.0  # a server in front may have to ask the fabric about a recipient first


class Mailbox:
    """A mail server for `DOMAIN` that keeps what it gets."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.mail: list[tuple[str, list[str], bytes]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        self.mail.append((envelope.mail_from or "", list(envelope.rcpt_tos), content))
        return "250 kept"

    def send(self, sender: str, to: str, subject: str, text: str = "", host: int = 1) -> tuple[int, str]:
        """Send a message to the fabric as the world does: on the MX port, without signing in."""
        config = self._stage.config
        message = letter(f"{sender}@{DOMAIN}", to, subject, text, DOMAIN)
        return self.say(
            message.as_bytes(policy=email.policy.SMTP), f"{sender}@{DOMAIN}", to, config.hosts[host - 1].address
        )

    def say(self, content: bytes, sender: str, to: str, address: str) -> tuple[int, str]:
        place = self._stage.mail_in or (address, self._stage.config.ports.smtp)
        source = (self._stage.address(PLACE), 0)
        with smtplib.SMTP(*place, timeout=SAY_SECONDS_MAX, source_address=source) as client:
            try:
                client.sendmail(sender, [to], content)
            except smtplib.SMTPRecipientsRefused as error:
                code, text = error.recipients[to]
                return code, text.decode(errors="replace")
            except smtplib.SMTPResponseException as error:
                said = error.smtp_error
                return error.smtp_code, said.decode(errors="replace") if isinstance(said, bytes) else said
            return 250, "accepted"

    def letters(self, name: str) -> list[Letter]:
        return [read(content) for _, to, content in list(self.mail) if f"{name}@{DOMAIN}" in to]

    def wait_for(self, name: str, wanted: Callable[[Letter], bool], seconds: float = 15.0) -> Letter | None:
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            for found in self.letters(name):
                if wanted(found):
                    return found
            time.sleep(LOOK_AGAIN_SECONDS)
        return None


class Site:
    """A web site with one Atom feed; it counts how often it is read."""

    def __init__(self, address: str) -> None:
        self.url = f"http://{address}:{WEB_PORT}/feed.xml"
        self.titles: list[str] = ["First light", "Second light"]
        self.reads = 0
        self.began = time.time() - 3600

    def feed(self) -> bytes:
        entries = "".join(self._entry(number, title) for number, title in enumerate(self.titles, 1))
        head = f"<title>Lighthouse log</title><id>{self.url}</id>"
        return f'<feed xmlns="http://www.w3.org/2005/Atom">{head}{entries}</feed>'.encode()

    def _entry(self, number: int, title: str) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.began + number))
        link = f'<link href="{self.url}#{number}"/>'
        body = f"<content>{title}, seen from the gallery.</content>"
        return (
            f"<entry><id>{self.url}#{number}</id><title>{title}</title><updated>{stamp}</updated>{link}{body}</entry>"
        )


@contextlib.contextmanager
def foreign_mailbox(stage: Stage, kind: type[Mailbox] = Mailbox) -> Iterator[Mailbox]:
    """Run the foreign mail server."""
    mailbox = kind(stage)
    controller = Controller(mailbox, stage.address(PLACE), MAIL_PORT)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


@contextlib.contextmanager
def web_site(address: str, kind: type[Site] = Site) -> Iterator[Site]:
    """Run the web site."""
    site = kind(address)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/feed.xml"
            site.reads += found
            content = site.feed() if found else b"<p>nothing here</p>"
            self.send_response(200)
            self.send_header("Content-Type", "application/atom+xml" if found else "text/html")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer((address, WEB_PORT), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
