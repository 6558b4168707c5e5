"""A server may say what it likes, for as long as it is let."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import time
import tracemalloc
import zlib
from dataclasses import replace

import brotli
import pytest

from ingest.fetch import Fetcher
from ingest.fetched import WEEK, Failed, Fetched, Unchanged, Validators, fresh_seconds, validators, wait_seconds
from ingest.settings import Settings
from ingest.unpack import BadEncoding, TooLarge, unpacked, zstd

SETTINGS = Settings(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),), octets_max=100_000)


PACKS = ((gzip.compress, "gzip"), (zlib.compress, "deflate"), (brotli.compress, "br"), (zstd.compress, "zstd"))


@pytest.fixture
async def fetcher():
    fetcher = Fetcher(SETTINGS, "Heliograph (test)")
    yield fetcher
    await fetcher.close()


async def test_a_document_with_what_is_known_of_it(fetcher, site):
    headers = {
        "ETag": 'W/"a,b"',
        "Last-Modified": "whenever",
        "Content-Type": "text/xml",
        "Cache-Control": "max-age=60",
    }
    site.pages["/"] = (200, headers, b"<rss/>")
    answer = await fetcher.fetch(site.url("/"))
    assert answer == Fetched(
        site.url("/"), site.url("/"), b"<rss/>", "text/xml", Validators(b'W/"a,b"', b"whenever"), 60.0
    )
    assert site.asked[0].headers["user-agent"] == "Heliograph (test)"


async def test_validators_go_back_as_they_came(fetcher, site):
    known = Validators('"ä \\"'.encode(), b"not even a date")
    site.pages["/"] = lambda asked: (304, {"Cache-Control": "private, max-age=7200"}, b"")
    assert await fetcher.fetch(site.url("/"), known) == Unchanged(Validators(), 7200.0, site.url("/"))
    assert site.asked[0].headers["if-none-match"].encode("latin-1") == known.etag
    assert site.asked[0].headers["if-modified-since"] == "not even a date"
    assert isinstance(await fetcher.fetch(site.url("/")), Failed)  # 304 without a question


def test_validators_that_could_not_be_sent_back_are_none():
    raw = [(b"ETag", b'"1"'), (b"etag", b'"2"'), (b"LAST-MODIFIED", b"\xff")]
    assert validators(raw) == Validators(b'"1"', b"")
    assert validators([(b"ETag", b"x" * 600)]) == Validators()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda c: zlib.compress(c, wbits=-15)),
        ("br", brotli.compress),
        ("zstd", zstd.compress),
    ],
)
async def test_packed_documents_and_bombs(fetcher, site, encoding, pack):
    document = b"".join(b"%d %x;" % (n, n * n) for n in range(5_000))
    site.pages["/"] = (200, {"Content-Encoding": encoding}, pack(document))
    site.pages["/bomb"] = (200, {"Content-Encoding": encoding}, pack(bytes(8_000_000)))
    site.pages["/cut"] = (200, {"Content-Encoding": encoding}, pack(document)[:-40])
    site.pages["/lie"] = (200, {"Content-Encoding": encoding}, b"plain words")
    answer = await fetcher.fetch(site.url("/"))
    assert isinstance(answer, Fetched) and answer.content == document
    for path in ("/bomb", "/cut", "/lie"):
        failed = await fetcher.fetch(site.url(path))
        assert isinstance(failed, Failed) and not failed.temporary, path


def test_unpacking_stops_in_time():
    for pack, name in (
        (gzip.compress, "gzip"),
        (zlib.compress, "deflate"),
        (brotli.compress, "br"),
        (zstd.compress, "zstd"),
    ):
        assert unpacked(pack(bytes(1000)), name, 1000) == bytes(1000)
        with pytest.raises(TooLarge):
            unpacked(pack(bytes(1001)), name, 1000)
    with pytest.raises(BadEncoding):
        unpacked(b"", "gzip, gzip", 1000)


def test_a_bomb_takes_no_more_memory_than_what_is_taken_in():
    for pack, name in (
        (gzip.compress, "gzip"),
        (zlib.compress, "deflate"),
        (brotli.compress, "br"),
        (zstd.compress, "zstd"),
    ):
        bomb = pack(bytes(8_000_000))
        tracemalloc.start()
        with pytest.raises(TooLarge):
            unpacked(bomb, name, 100_000)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2_000_000, name


def test_nobody_asks_for_much_memory_by_a_wide_window():
    options = {zstd.CompressionParameter.window_log: 27}
    with pytest.raises(BadEncoding):
        unpacked(zstd.compress(bytes(200_000_000), options=options), "zstd", 100_000)


async def test_too_large_is_refused_before_and_while_reading(fetcher, site):
    site.pages["/declared"] = (200, {"Content-Length": str(1 << 30)}, b"x")
    site.pages["/real"] = bytes(200_000)
    site.pages["/undeclared"] = (200, {"Content-Length": ""}, bytes(200_000))
    for path in ("/declared", "/real", "/undeclared"):
        answer = await fetcher.fetch(site.url(path))
        assert isinstance(answer, Failed) and "too large" in answer.reason


async def test_an_endless_header_is_refused(fetcher, site):
    site.pages["/long"] = (200, {"X": "x" * 200_000}, b"x")
    site.pages["/many"] = (200, {f"X-{number}": "x" * 100 for number in range(5_000)}, b"x")
    assert isinstance(await fetcher.fetch(site.url("/long")), Failed)
    answer = await fetcher.fetch(site.url("/many"))
    assert isinstance(answer, Failed | Fetched)


async def test_redirects_are_followed_and_counted(fetcher, site):
    site.pages["/1"] = (301, {"Location": "/2"}, b"")
    site.pages["/2"] = (308, {"Location": "/3"}, b"")
    site.pages["/3"] = (302, {"Location": "/4"}, b"")
    site.pages["/4"] = (301, {"Location": "/5"}, b"")
    site.pages["/5"] = b"there"
    answer = await fetcher.fetch(site.url("/1"))
    assert isinstance(answer, Fetched) and answer.content == b"there"
    assert answer.url == site.url("/5") and answer.lasting == site.url("/3")  # what follows a 302 does not last
    site.pages["/loop"] = (302, {"Location": "/loop"}, b"")
    before = len(site.asked)
    looped = await fetcher.fetch(site.url("/loop"))
    assert isinstance(looped, Failed) and "redirects" in looped.reason and len(site.asked) - before == 6


@pytest.mark.parametrize(
    ("status", "temporary"),
    [(400, False), (401, False), (404, False), (410, False), (429, True), (500, True), (999, True)],
)
async def test_what_a_status_means(fetcher, site, status, temporary):
    site.pages["/"] = (status, {"Retry-After": "120"}, b"")
    answer = await fetcher.fetch(site.url("/"))
    assert isinstance(answer, Failed) and answer.temporary is temporary and str(status) in answer.reason
    assert answer.retry_after == 120


def test_retry_after_and_max_age_are_capped():
    assert wait_seconds("120", 0) == 120 and wait_seconds("9" * 40, 0) == WEEK
    assert wait_seconds("Thu, 01 Jan 1970 00:10:00 GMT", 0) == 600
    assert wait_seconds("Thu, 01 Jan 1970 00:10:00 GMT", 1_000) == 0
    for nonsense in ("", "-5", "soon", "\u0663", "Fri, 31 Feb 9999 99:99:99 GMT", "1e9"):
        assert wait_seconds(nonsense, 0) == 0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"Cache-Control": "public, max-age=300, x"}, 300),
        ({"Cache-Control": 'max-age="5"'}, 5),
        ({"Cache-Control": "s-max-age=3"}, 0),
        ({"Cache-Control": "max-age=999999999"}, WEEK),
        ({"Cache-Control": "max-age=300", "Age": "100"}, 200),
        ({"Cache-Control": "max-age=300", "Age": "900"}, 0),
        ({"Cache-Control": "no-cache, max-age=300"}, 0),
        ({"Cache-Control": "max-age=5", "Expires": "Thu, 01 Jan 1970 00:20:00 GMT"}, 5),
        ({"Expires": "Thu, 01 Jan 1970 00:20:00 GMT"}, 600),
        ({"Expires": "Thu, 01 Jan 1970 00:20:00 GMT", "Date": "Thu, 01 Jan 1970 00:18:00 GMT"}, 120),
        ({"Expires": "0"}, 0),
        ({"Expires": "Thu, 01 Jan 2099 00:20:00 GMT"}, WEEK),
    ],
)
def test_for_how_long_an_answer_is_fresh(headers, seconds):
    assert fresh_seconds(headers, now=600.0) == seconds


async def test_a_server_that_drips_or_is_silent_ends(site):
    """Each is cut off by its own limit; a limit that did not work would meet the test's time-out."""
    quick = replace(SETTINGS, silence_seconds_max=0.2, fetch_seconds_max=20.0, octets_per_second_min=1_000)

    async def drip(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        with_head = b"HTTP/1.1 200 OK\r\n\r\n"
        writer.write(with_head)
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.02)

    async def silent(reader, writer):
        await reader.read()
        writer.close()

    async def drip_head(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.02)

    for behaviour, settings, reason in (
        (drip, quick, "too slowly"),
        (silent, quick, "in time"),
        (drip_head, replace(quick, fetch_seconds_max=0.5), "in time"),
    ):
        server = await asyncio.start_server(behaviour, "127.0.0.1", 0)
        fetcher = Fetcher(settings, "test")
        began = time.monotonic()
        answer = await fetcher.fetch(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await fetcher.close()
        server.close()
        assert isinstance(answer, Failed) and reason in answer.reason and answer.temporary
        assert time.monotonic() - began < 15


async def test_what_speaks_no_http_or_is_not_there(fetcher):
    async def ssh(reader, writer):
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(ssh, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    spoken = await fetcher.fetch(f"http://127.0.0.1:{port}/")
    tls = await fetcher.fetch(f"https://127.0.0.1:{port}/")
    server.close()
    await server.wait_closed()
    away = await fetcher.fetch(f"http://127.0.0.1:{port}/")
    nowhere = await fetcher.fetch("http://no-such-host.invalid/")
    for answer in (spoken, tls, away, nowhere):
        assert isinstance(answer, Failed), answer
    assert "cannot be reached" in away.reason
