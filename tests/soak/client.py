"""A mail client that does not give up: it says the same octets, at any host, until it hears 250.

Law: what it was told 250 for it never says again; what it was not, it says again, as clients do.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import Sequence

import aiosmtplib

from heliograph.configuration.settings import Config
from heliograph.demo.stage import PASSWORD

AGAIN_SECONDS = 0.05
REPLY_SECONDS_MAX = 15.0
LETTERS_PER_CONNECTION = 10  # then it turns to another host


class Refused(Exception):
    """A host said 5xx to what it has to take."""


class Client:
    """Sends one letter after the other. `name`: who signs in; "" for a stranger at the MX port."""

    def __init__(self, config: Config, name: str, chance: random.Random) -> None:
        self._config = config
        self._name = name
        self._chance = chance
        self._open: aiosmtplib.SMTP | None = None
        self._left = 0
        self.attempts = 0
        self._context = ssl.create_default_context(cafile=str(config.tls.ca))

    async def say(self, content: bytes, sender: str, recipients: Sequence[str]) -> None:
        """Return when the letter was accepted for all recipients."""
        left = list(recipients)
        while left:
            self.attempts += 1
            try:
                client = await self._connection()
                refused, _ = await client.sendmail(sender, left, content)
                _check({address: reply.code for address, reply in refused.items()})
                left = [address for address in left if address in refused]
                self._left -= 1
                if self._left > 0:
                    continue
            except aiosmtplib.SMTPResponseException as reply:
                if reply.code >= 500:
                    raise Refused(f"{sender} to {recipients}: {reply.code} {reply.message}") from reply
            except aiosmtplib.SMTPRecipientsRefused as error:
                _check({one.recipient: one.code for one in error.recipients})
            except (aiosmtplib.SMTPException, OSError, TimeoutError):
                pass  # the host went away under us
            await self.close()
            if left:
                await asyncio.sleep(AGAIN_SECONDS)

    async def close(self) -> None:
        client, self._open = self._open, None
        if client is not None:
            with contextlib.suppress(Exception):
                client.close()

    async def _connection(self) -> aiosmtplib.SMTP:
        if self._open is not None and self._open.is_connected:
            return self._open
        host = self._chance.choice(self._config.hosts).address
        self._left = LETTERS_PER_CONNECTION
        ports = self._config.ports
        if self._name:
            client = aiosmtplib.SMTP(
                hostname=host,
                port=ports.submissions,
                use_tls=True,
                tls_context=self._context,
                timeout=REPLY_SECONDS_MAX,
            )
        else:
            client = aiosmtplib.SMTP(hostname=host, port=ports.smtp, start_tls=False, timeout=REPLY_SECONDS_MAX)
        await client.connect()
        self._open = client
        if self._name:
            await client.login(self._name, PASSWORD)
        return client


def _check(replies: dict[str, int]) -> None:
    if any(code >= 500 for code in replies.values()):
        raise Refused(str(replies))
