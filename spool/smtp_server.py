"""The SMTP commands around the mail transaction: greeting, TLS, signing in, proof of a fabric host.

Law: what a client said before TLS is forgotten after it (RFC 3207 4.2).
"""

from __future__ import annotations

import binascii
import contextlib
import logging
import secrets
import ssl
from base64 import b64decode, b64encode
from typing import Any

from aiosmtpd.smtp import MISSING

from spool import replies
from spool.door import Role
from spool.intake import OVERLONG
from spool.lobby import Entrance
from spool.replies import printable, reply_of
from spool.smtp_auth import MECHANISMS
from spool.smtp_pipeline import SmtpPipeline
from spool.xforward import ATTRIBUTES, read_xforward

log = logging.getLogger("heliograph.smtp")

COMMANDS = "EHLO HELO QUIT STARTTLS HELP VRFY EXPN".split()
COMMANDS_OF: dict[Role, list[str]] = {
    "mx": [*COMMANDS, "XHELIOGRAPH", "XFORWARD"],
    "submission": [*COMMANDS, "AUTH"],
    "lmtp": ["LHLO", "QUIT", "STARTTLS", "HELP", "VRFY", "XFORWARD"],
}

HOSTNAME_OCTETS_MAX = 255  # RFC 5321 4.5.3.1.2


class SmtpServer(SmtpPipeline):
    """A session of the roles mx and submission."""

    def __init__(self, entrance: Entrance) -> None:
        super().__init__(entrance)
        self.tls_context = entrance.tls
        self._smtp_methods = {name: getattr(self, f"smtp_{name}") for name in COMMANDS_OF[entrance.role]}
        self._nonce = secrets.token_hex(16)

    async def smtp_HELO(self, hostname: str) -> None:
        if self._greeted("HELO", hostname):
            self.say(f"250 {self.hostname}\r\n".encode())

    async def smtp_EHLO(self, hostname: str) -> None:
        if self._greeted("EHLO", hostname):
            self.say(self._extensions())

    def _greeted(self, verb: str, hostname: str) -> bool:
        name = hostname.partition(" ")[0]
        if not name or not name.isprintable() or len(name.encode()) > HOSTNAME_OCTETS_MAX:
            self.say(replies.HELLO_SYNTAX % verb.encode())
            return False
        self.transaction.reset()  # RFC 5321 4.1.4
        self.guest.helo = name
        assert self.session is not None
        self.session.host_name = name
        self.session.extended_smtp = verb != "HELO"
        return True

    def _extensions(self) -> bytes:
        offers = [
            self.hostname,
            "PIPELINING",
            f"SIZE {self.settings.message_octets_max}",
            "8BITMIME",
            "SMTPUTF8",
            "ENHANCEDSTATUSCODES",
            "DSN",
        ]
        if self.tls_context and not self.guest.tls:
            offers.append("STARTTLS")
        if self.guest.role == "submission" and not self._auth_require_tls:
            offers.append(f"AUTH {' '.join(MECHANISMS)}")
        if self.guest.front:
            offers.append(f"XFORWARD {' '.join(ATTRIBUTES)}")
        if self.guest.role == "mx":
            offers.append(f"XHELIOGRAPH {self._nonce}")
        return "".join(f"250-{offer}\r\n" for offer in offers[:-1]).encode() + f"250 {offers[-1]}\r\n".encode()

    async def smtp_STARTTLS(self, arg: str) -> None:
        """On asyncio's own start_tls, which uvloop has as well; aiosmtpd's reaches into asyncio's inside."""
        if arg or self.guest.tls or not self.tls_context:
            self.say(replies.NO_ARGUMENT if arg else replies.TLS_NOW if self.guest.tls else replies.NOT_HERE)
            return
        self.say(replies.TLS_READY)
        await self.flush()
        self.intake.discard()  # RFC 3207 6: what was pipelined in the clear must not be obeyed inside TLS
        try:
            await self._writer.start_tls(self.tls_context, ssl_handshake_timeout=self.settings.handshake_seconds_max)
        except (OSError, ssl.SSLError) as error:
            log.info("TLS failed peer=%s: %s", self.guest.peer, printable(str(error)))
            self.abort()
            raise ConnectionResetError from error
        self._forget()

    async def smtp_XFORWARD(self, arg: str) -> None:
        """Of each message anew; what is not told this time is not known (Postfix's XFORWARD_README)."""
        if not self.guest.front:
            self.say(replies.NOT_HERE)
            return
        told = read_xforward(arg)
        if told is None or self.transaction.envelope is not None:
            self.say(replies.XFORWARD_SYNTAX if told is None else replies.NESTED_MAIL)
            return
        self.guest.client = told.get("ADDR", self.guest.client if "ADDR=" not in arg.upper() else "")
        self.guest.client_helo = told.get("HELO", self.guest.client_helo if "HELO=" not in arg.upper() else "")
        self.say(replies.SENDER_OK)

    def _forget(self) -> None:
        self.transport = self._writer.transport
        self.transaction.reset()
        self.guest.tls, self.guest.helo, self.guest.host = True, "", ""
        self.guest.entity, self.guest.source, self.guest.keeps_sent = "", "", False
        self._nonce = secrets.token_hex(16)
        self._auth_require_tls = False
        assert self.session is not None
        self.session.host_name, self.session.extended_smtp, self.session.authenticated = None, False, None

    async def smtp_AUTH(self, arg: str) -> None:
        if self.transaction.envelope is not None:  # RFC 4954 4
            self.say(replies.NESTED_MAIL)
            return
        if not arg:
            self.say(replies.AUTH_SYNTAX)
            return
        mechanism, *response = arg.split()
        await super().smtp_AUTH(" ".join([mechanism.upper(), *response]))

    async def challenge_auth(
        self, challenge: str | bytes, encode_to_b64: bool = True, log_client_response: bool = False
    ) -> Any:
        """aiosmtpd's, on our input: bounded, and never logged."""
        octets = challenge.encode() if isinstance(challenge, str) else challenge
        self.say(b"334 " + (b64encode(octets) if encode_to_b64 else octets) + b"\r\n")
        await self.flush()
        while (line := self.intake.line()) is None:
            if not await self.intake.more():
                return MISSING
        self.clock.touch()
        if line == b"*\r\n":
            self.say(replies.ABORTED)
            return MISSING
        with contextlib.suppress(binascii.Error):
            if line is not OVERLONG and line.endswith(b"\r\n"):
                return b64decode(line[:-2], validate=True)
        self.say(replies.NOT_BASE64)
        return MISSING

    async def smtp_XHELIOGRAPH(self, arg: str) -> None:
        words = arg.split()
        if len(words) != 2 or not arg.isascii():
            self.say(replies.PROOF_SYNTAX)
            return
        outcome = self.door.prove(self.guest, words[0], self._nonce, words[1])
        log.info("proof peer=%s host=%s: %s", self.guest.peer, printable(words[0]), printable(outcome.text))
        self.say(reply_of(outcome))

    async def smtp_QUIT(self, arg: str) -> None:
        if arg:
            self.say(replies.NO_ARGUMENT)
        else:
            self.dismiss(replies.BYE)

    async def smtp_VRFY(self, arg: str) -> None:
        """RFC 5321 7.3: 252 tells nobody who exists."""
        self.say(replies.VERIFY if arg else replies.VRFY_SYNTAX)

    async def smtp_EXPN(self, arg: str) -> None:
        self.say(replies.NOT_HERE)

    async def smtp_HELP(self, arg: str) -> None:
        names = sorted([*self._smtp_methods, "MAIL", "RCPT", "DATA", "RSET", "NOOP"])
        self.say(f"214 2.0.0 Commands: {' '.join(names)}\r\n".encode())
