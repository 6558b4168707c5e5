"""Fetch one document from a web that means no good.

Law: no more than the settings' octets and seconds are spent on one document, redirects included; each redirect is
checked like the first address; the address that was checked is the address that is connected to, since the answer
of the resolver is not asked for twice (and the socket looks once more).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from ingest import guard
from ingest.fetched import Answer, Failed, Fetched, Unchanged, Validators, fresh_seconds, refusal, validators
from ingest.guard import Lookup, system_lookup
from ingest.links import linked
from ingest.settings import Settings
from ingest.unpack import ACCEPTED, BadEncoding, TooLarge, unpacked
from ingest.urls import BadUrl, Url, canonical, joined

if TYPE_CHECKING:
    import aiohttp
    import yarl

REDIRECTS_MAX = 5
RESOLVER_THREADS = 8  # a name that does not resolve holds one for seconds
UNPACK_INLINE_OCTETS = 262_144  # takes a millisecond; a larger document is unpacked beside the loop
NOTHING = Validators()
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LASTING = frozenset({301, 308})  # RFC 9110 15.4
FEED = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5"
PAGE = "text/html, application/xhtml+xml, */*;q=0.1"


class _TooSlow(Exception):
    pass


class Fetcher:
    """An HTTP client for strangers' addresses. Starts at the first fetch; `close` ends it."""

    def __init__(
        self, settings: Settings, agent: str, clock: Callable[[], float] = time.time, lookup: Lookup = system_lookup
    ) -> None:
        self._settings = settings
        self._lookup = lookup
        self._agent = agent
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._opening = asyncio.Lock()

    async def fetch(self, url: str, known: Validators = NOTHING, *, followers: int = 0, wanted: str = FEED) -> Answer:
        """Return what is at a URL; never raises for anything that the other side does. `followers`: told the site;
        `wanted`: what kinds of documents (RFC 9110 12.5.1)."""
        try:
            target, said = canonical(url), self._named(followers) | {"Accept": wanted}
            session = await self._open()
            async with asyncio.timeout(self._settings.fetch_seconds_max):
                return await self._follow(session, target, replace(known, url=known.url or target.text), said)
        except Exception as error:
            reason = _reason(error)
            if reason is None:
                raise
            return reason

    async def post(self, url: str, form: Mapping[str, str]) -> int:
        """Send a form; return the status, 0 where there was none. What is answered is not read, and never followed."""
        try:
            target = yarl_url(canonical(url).text)
            session = await self._open()
            async with (
                asyncio.timeout(self._settings.fetch_seconds_max),
                session.post(target, data=form, allow_redirects=False) as response,
            ):
                return response.status
        except Exception as error:
            if _reason(error) is None:
                raise
            return 0

    async def close(self) -> None:
        if self._session:
            await self._session.close()
        if self._threads:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _open(self) -> aiohttp.ClientSession:
        async with self._opening:
            if self._session is None:
                await asyncio.to_thread(importlib.import_module, "aiohttp")  # takes half a second
                self._session = self._new_session()
        return self._session

    def _new_session(self) -> aiohttp.ClientSession:
        import aiohttp

        from ingest.resolver import Resolver

        allow = self._settings.allow_networks
        self._threads = ThreadPoolExecutor(RESOLVER_THREADS, thread_name_prefix="ingest-resolver")
        connector = aiohttp.TCPConnector(
            resolver=Resolver(self._threads, allow, self._lookup),
            socket_factory=lambda info: guard.guarded_socket(info, allow),
            use_dns_cache=False,
            limit=self._settings.fetches_max,
        )
        silence = self._settings.silence_seconds_max
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=silence, sock_read=silence),
            auto_decompress=False,
            trust_env=False,  # a proxy would connect for us, unguarded
            headers={"User-Agent": self._agent, "Accept-Encoding": ACCEPTED},
        )

    async def _follow(
        self, session: aiohttp.ClientSession, url: Url, known: Validators, said: dict[str, str]
    ) -> Answer:
        asked = lasting = url.text
        lasts = True
        for _ in range(REDIRECTS_MAX + 1):
            answer = await self._ask(session, url, known, said)
            if isinstance(answer, Fetched | Unchanged):
                elsewhere = "" if url.text == asked else url.text
                return replace(answer, lasting=lasting, validators=replace(answer.validators, url=elsewhere))
            if not isinstance(answer, tuple):
                return answer
            code, location = answer
            url = joined(url.text, location)
            lasts = lasts and code in _LASTING
            lasting = url.text if lasts else lasting
        return Failed(f"it redirects more than {REDIRECTS_MAX} times", temporary=False)

    async def _ask(
        self, session: aiohttp.ClientSession, url: Url, known: Validators, said: dict[str, str]
    ) -> Answer | tuple[int, str]:
        """Make one request; a redirect is returned as (code, Location)."""
        target = yarl_url(url.text)
        conditions = _conditions(known) if known.url == url.text else {}
        async with session.get(target, headers=conditions | said, allow_redirects=False) as response:
            headers = response.headers
            fresh = fresh_seconds(headers, self._clock())
            if response.status == 200:
                content = await self._document(response)
                kind = headers.get("Content-Type", "")[:200]
                known_now, links = validators(response.raw_headers), linked(headers.getall("Link", ()))
                return Fetched(url.text, url.text, content, kind, known_now, fresh, links)
            if response.status in _REDIRECTS and "Location" in headers:
                return response.status, headers["Location"]
            if response.status == 304 and conditions:
                return Unchanged(validators(response.raw_headers), fresh)
            return refusal(response.status, headers.get("Retry-After", ""), self._clock())

    def _named(self, followers: int) -> dict[str, str]:
        """One poll stands for many readers: sites count them by this number."""
        readers = f"{followers} subscriber{'s' * (followers != 1)}"
        return {"User-Agent": f"{self._agent.removesuffix(')')}; {readers})"} if followers > 0 else {}

    async def _document(self, response: aiohttp.ClientResponse) -> bytes:
        packed = await self._body(response)
        encoding = response.headers.get("Content-Encoding", "")
        if encoding.lower() in ("", "identity"):
            return packed
        with contextlib.suppress(TooLarge):
            return unpacked(packed, encoding, UNPACK_INLINE_OCTETS)
        return await asyncio.to_thread(unpacked, packed, encoding, self._settings.octets_max)

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        loop, limits = asyncio.get_running_loop(), self._settings
        if (response.content_length or 0) > limits.octets_max:
            raise TooLarge
        began, size, chunks = loop.time(), 0, []
        async for chunk in response.content.iter_any():
            size += len(chunk)
            chunks.append(chunk)
            seconds = loop.time() - began
            if size > limits.octets_max:
                raise TooLarge
            if seconds > limits.silence_seconds_max and size < seconds * limits.octets_per_second_min:
                raise _TooSlow
        return b"".join(chunks)


def yarl_url(text: str) -> yarl.URL:
    """Hand a canonical address on as it is."""
    import yarl

    return yarl.URL(text, encoded=True)


def _conditions(known: Validators) -> dict[str, str]:
    """RFC 9110 13.1.2, 13.1.3: both, as they came."""
    wanted = {"If-None-Match": known.etag, "If-Modified-Since": known.modified}
    return {name: value.decode() for name, value in wanted.items() if value}


def _reason(error: Exception) -> Failed | None:
    """Say in words what went wrong with a fetch; None for a fault of our own."""
    import aiohttp

    table: tuple[tuple[type[Exception], Failed], ...] = (
        (guard.Denied, Failed("its address points inside the operator's network, or is no public web address", False)),
        (TooLarge, Failed("the document is too large", False)),
        (BadEncoding, Failed("the site sends it in an encoding that cannot be read", False)),
        (_TooSlow, Failed("the site sends too slowly")),
        (TimeoutError, Failed("the site did not answer in time")),
        (aiohttp.ClientConnectorDNSError, Failed("the site's name cannot be looked up now")),
        (aiohttp.ClientConnectorCertificateError, Failed("the site's certificate is not valid")),
        (aiohttp.ClientSSLError, Failed("the site's encryption does not work")),
        (aiohttp.ClientConnectorError, Failed("the site cannot be reached")),
        (aiohttp.ClientError, Failed("the site does not speak HTTP as it should")),
        (OSError, Failed("the site cannot be reached")),
    )
    if isinstance(error, aiohttp.ClientConnectorDNSError) and error.os_error.errno == socket.EAI_NONAME:
        return Failed("there is no site of that name", temporary=False)
    if isinstance(error, BadUrl):
        return Failed(f"it leads to an address that cannot be followed: {error}", temporary=False)
    return next((failed for kind, failed in table if isinstance(error, kind)), None)
