"""A document may do what it likes to its process, and to nobody else."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.items import Listing, Neither, Page
from ingest.pool import Stalled, WorkerPool
from ingest.settings import Settings

# One CPU second, so that the tests are short; a good feed takes a hundredth of it.
SETTINGS = Settings(workers_max=1, parse_seconds_max=1)
ITEM = b"<item><title>A</title><description>B</description></item>"
GOOD = b"<rss version='2.0'><channel><title>Good</title>" + ITEM + b"</channel></rss>"


@pytest.fixture
async def pool():
    pool = WorkerPool(SETTINGS)
    yield pool
    await pool.close()


async def reading(pool: WorkerPool, content: bytes):
    async with pool.reading(content, "http://a.example/", "") as document:
        return document.reading


async def test_a_document_is_listed_and_then_rendered(pool):
    async with pool.reading(GOOD, "http://a.example/", "text/xml") as document:
        assert isinstance(document.reading, Listing) and document.reading.title == "Good"
        (item,) = await document.render([0])
        assert (item.title, item.text) == ("A", "B")
        assert await document.render([]) == []


async def test_a_process_serves_many_and_waits_for_its_turn(pool):
    readings = await asyncio.gather(*(reading(pool, GOOD) for _ in range(10)))
    assert all(isinstance(each, Listing) for each in readings)
    assert len(pool._all) == 1


ATTRIBUTES = b"<rss><channel><item " + b" ".join(b"a%d='x'" % n for n in range(20_000)) + b"></item></channel></rss>"
ANGLES = b"<rss>" + b"<" * 5_000_000
HOSTILE = {
    "attributes": ATTRIBUTES * 5,
    "nested": b"<rss><channel><item>" + b"<a>" * 500_000,
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_document_ends_its_process_and_nobody_elses(pool, name):
    with pytest.raises(Stalled, match=r"it takes too long to read|cannot be read"):
        await reading(pool, HOSTILE[name])
    assert isinstance(await reading(pool, GOOD), Listing)


async def test_what_takes_too_long_is_ended(pool):
    with pytest.raises(Stalled, match="too long"):
        await reading(pool, ANGLES)
    assert isinstance(await reading(pool, GOOD), Listing)


def described(markup: bytes) -> bytes:
    head = b"<rss><channel><item><title>x</title><description><![CDATA["
    return head + markup + b" word]]></description></item></channel></rss>"


async def test_hostile_markup_is_rendered_or_ended(pool):
    for markup in (
        b"<div>" * 15_000,
        b"<div>" * 52_000,
        b"<b>" * 80_000,
        b"<table>" * 30_000,
        b"<" * 260_000,
        b"&lt;" * 60_000,
    ):
        try:
            async with pool.reading(described(markup), "http://a.example/", "") as found:
                (item,) = await found.render([0])
                assert "word" in item.text[-100:] or len(item.text) >= 200_000, markup[:20]
        except Stalled:
            pytest.fail(f"{markup[:20]!r} is ended, but could be shown as text")


@pytest.mark.parametrize(
    "markup",
    [b"<img " + b'a="' * 80_000, b'<img src=x a="' * 18_000, b"<iframe " * 30_000, b"](" * 100_000, b" \n" * 100_000],
)
async def test_what_is_repaired_and_made_text_is_so_in_linear_time(pool, markup):
    async with pool.reading(described(markup), "http://a.example/", "") as found:
        assert len(await found.render([0])) == 1


async def test_entities_do_not_multiply_and_nothing_outside_is_read(pool, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    laughs = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))
    document = (
        f"<?xml version='1.0'?><!DOCTYPE rss [<!ENTITY l0 'lol'>{laughs}<!ENTITY x SYSTEM 'file://{secret}'>]>"
        "<rss><channel><title>&l9;</title><item><title>&x;</title><description>&l9;</description></item></channel></rss>"
    ).encode()
    try:
        async with pool.reading(document, "http://a.example/", "") as found:
            assert isinstance(found.reading, Listing)
            (item,) = await found.render([0])
            assert "secret" not in item.title and len(item.text) < 10_000
    except Stalled as stalled:
        assert str(stalled)


async def test_a_file_name_is_no_document(pool):
    assert isinstance(await reading(pool, b"/etc/passwd"), Neither)
    assert isinstance(await reading(pool, b"http://127.0.0.1/feed"), Neither)


async def test_a_feed_of_a_hundred_thousand_items_lists_five_hundred(pool):
    document = (
        b"<rss><channel>"
        + b"".join(b"<item><title>%d</title></item>" % n for n in range(100_000))
        + b"</channel></rss>"
    )
    pool = WorkerPool(replace(SETTINGS, parse_seconds_max=5))
    found = await reading(pool, document)
    assert isinstance(found, Listing) and len(found.items) == 500
    await pool.close()


async def test_pages(pool):
    link = b"<link rel='ALTERNATE feed' type='application/atom+xml' href='f'>"
    page = b"<!-- x --><!DOCTYPE html><html><head><base href='/b/'>" + link
    assert await reading(pool, page) == Page(("http://a.example/b/f",))
    assert await reading(pool, b"<html>" + b"<link rel=alternate " * 100_000) == Page(())
    assert await reading(pool, b"") == await reading(pool, b"\x00\x01") == Neither("it is neither a feed nor a page")


async def test_a_process_that_is_killed_is_replaced(pool):
    await reading(pool, GOOD)
    (worker,) = pool._all
    os.kill(worker._process.pid, signal.SIGKILL)
    await worker._process.wait()
    assert isinstance(await reading(pool, GOOD), Listing)


async def test_who_stops_waiting_leaves_no_process_behind():
    pool = WorkerPool(replace(SETTINGS, parse_seconds_max=100))
    task = asyncio.create_task(reading(pool, ANGLES))
    await asyncio.sleep(0.2)
    (worker,) = pool._all
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not pool._all
    await worker._process.wait()  # left alone it would take a hundred seconds
    assert isinstance(await reading(pool, GOOD), Listing)
    await pool.close()


async def test_a_process_ends_with_its_pool_and_inherits_nothing(pool, tmp_path):
    with (tmp_path / "open").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        await reading(pool, GOOD)
        (worker,) = pool._all
        pid = worker._process.pid
        files = _open_files(pid)
        assert not any(str(tmp_path) in each or "socket" in each for each in files), files
    await pool.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def _open_files(pid: int) -> list[str]:
    folder = Path(f"/proc/{pid}/fd")
    return [str(each.readlink()) for each in folder.iterdir()] if folder.is_dir() else []
