"""Fetches a domain's MTA-STS policy over HTTPS (RFC 8461 3.3).

Law: a certificate that holds for ``mta-sts.D``, no redirects, little memory, little time. Whatever goes wrong: None.
"""

from __future__ import annotations

import logging
import ssl

import aiohttp

from spool.mta_sts import POLICY_OCTETS_MAX

log = logging.getLogger("heliograph.spool")

SECONDS_MAX = 20.0  # mail waits for it; RFC 8461 3.3 suggests 60


async def fetch_policy(domain: str, *, port: int = 443, trust: ssl.SSLContext | None = None) -> bytes | None:
    """Return the file, or None."""
    url = f"https://mta-sts.{domain}:{port}/.well-known/mta-sts.txt"
    timeout = aiohttp.ClientTimeout(total=SECONDS_MAX)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as client,
            client.get(url, allow_redirects=False, ssl=trust or True) as answer,
        ):
            if answer.status != 200 or answer.content_type != "text/plain":
                return None
            content = bytearray()
            async for chunk in answer.content.iter_chunked(4_096):
                content += chunk
                if len(content) > POLICY_OCTETS_MAX:
                    return None
            return bytes(content)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        log.info("no MTA-STS policy from %s: %s", domain, error)
        return None
