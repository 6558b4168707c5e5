"""What a host tells Prometheus: over HTTPS, to its own machine, in figures that follow what happens."""

from __future__ import annotations

import asyncio
import ipaddress
import shutil
import ssl
import subprocess
from pathlib import Path

import aiohttp
import pytest

from gateway.metrics import Metric, Sample, exposition, may_look
from heliograph.configuration.config import load
from heliograph.configuration.settings import FILE_NAME
from heliograph.demo.stage import free_net
from heliograph.health.measuring import SAME_SECONDS
from heliograph.health.standing_figures import standing_metrics
from heliograph.tables import MIGRATIONS
from heliograph.toml_table import ConfigError
from ingest.mailboxes import rows
from ingest.mailboxes.place import Place
from store import Store, Transaction
from tests.fabric.town import BUCKETS, OUTSIDE, Town, from_outside, letter, make_fabric, until

PROMTOOL = shutil.which("promtool")
OFFICE = ipaddress.ip_network("10.1.0.0/16")


async def scrape(town: Town) -> tuple[str, dict[str, float]]:
    """The text, and each number by its name and labels."""
    trust = ssl.create_default_context(cafile=str(town.config.tls.ca))
    url = f"https://{town.address(1)}:{town.config.ports.https}/metrics"
    async with aiohttp.ClientSession() as client, client.get(url, ssl=trust) as answer:
        assert (answer.status, answer.content_type) == (200, "text/plain")
        text = await answer.text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return text, {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def watch(town: Town, ready: asyncio.Event, done: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
    """Sit in IDLE."""
    with town.person("bob").session() as client:
        client.select("INBOX")
        client.send(b"i IDLE\r\n")
        assert client.readline().startswith(b"+")
        loop.call_soon_threadsafe(ready.set)
        asyncio.run_coroutine_threadsafe(done.wait(), loop).result()
        client.send(b"DONE\r\n")
        while not client.readline().startswith(b"i OK"):
            pass


def promtool_says(promtool: str, text: str) -> tuple[int, str]:
    checked = subprocess.run([promtool, "check", "metrics"], input=text, text=True, capture_output=True)
    return checked.returncode, checked.stdout + checked.stderr


async def test_the_figures_follow_what_happens(tmp_path: Path) -> None:
    with free_net() as net:
        town = Town(make_fabric(tmp_path / "f", net, hosts=1, outside=net.replace(".0/24", ".50")), net)
        async with town.at_work():
            _, before = await scrape(town)
            await town.person("alice").send("bob+subscribe@reflectors.fabric.test", "")
            await town.still()
            await town.person("bob").send("bob@reflectors.fabric.test", "a post")
            await town.person("erin").send("heidi@fabric.test", "a letter")
            zoe = f"zoe@{OUTSIDE}"
            said = await from_outside(
                town.address(1), town.config.ports.smtp, zoe, ["ghost@fabric.test"], letter(zoe, "ghost", "boo")
            )
            assert said.startswith("550")
            await town.still()
            ready, done = asyncio.Event(), asyncio.Event()
            idling = asyncio.create_task(asyncio.to_thread(watch, town, ready, done, asyncio.get_running_loop()))
            await ready.wait()
            await asyncio.sleep(SAME_SECONDS)  # the figures of a moment ago are given again
            text, after = await scrape(town)
            done.set()
            await idling
    told = {name: after[name] - before[name] for name in after}
    assert told["heliograph_posts_expanded_total"] == told["heliograph_posts_filed_total"] == 1
    assert told["heliograph_letters_filed_total"] >= 1
    assert told["heliograph_messages_accepted_total"] == 3
    assert told['heliograph_door_declined_total{reply="5yz"}'] == 1
    assert told['heliograph_deliveries_total{outcome="delivered"}'] >= 3
    assert (after["heliograph_imap_sessions"], after["heliograph_imap_idle_sessions"]) == (1, 1)
    assert after['heliograph_mailboxes_elsewhere{state="read"}'] == after["heliograph_mailboxes_elsewhere_late"] == 0
    assert after["heliograph_inheriting"] == 0
    assert told["heliograph_store_commit_seconds_count"] > 0 < told["heliograph_store_commit_seconds_sum"]
    assert after["heliograph_queue_messages"] == after["heliograph_queue_oldest_seconds"] == 0
    assert after['heliograph_buckets_owned{map="timeline"}'] == BUCKETS and after["heliograph_buckets_unsettled"] == 0
    assert min(after["heliograph_store_database_bytes"], after["heliograph_store_disk_free_bytes"]) > 0
    if PROMTOOL:
        assert promtool_says(PROMTOOL, text) == (0, "")


def test_second_copies_and_moves_have_figures() -> None:
    standby = {"host": "host-2", "mode": "required", "connected": False, "behind": True, "lag_seconds": 7.5}
    copy = {"of": "host-3", "whole": True, "connected": True, "as_of": 1_700_000_000.0, "shown": False}
    told = {"standby": {**standby, "lag_octets": 4096}, "copies": [copy], "moves": [{"left": 12}], "sealed": 2}
    text = exposition(list(standing_metrics(told)))
    for line in (
        'heliograph_standby_connected{standby="host-2",mode="required"} 0',
        'heliograph_standby_behind{standby="host-2",mode="required"} 1',
        'heliograph_standby_lag_seconds{standby="host-2",mode="required"} 7.5',
        'heliograph_standby_lag_bytes{standby="host-2",mode="required"} 4096',
        'heliograph_copy_whole{owner="host-3"} 1',
        'heliograph_copy_timestamp_seconds{owner="host-3"} 1700000000',
        "heliograph_moves_buckets_left 12",
        "heliograph_buckets_sealed 2",
    ):
        assert line in text.splitlines(), text
    away = {"standby": {**standby, "lag_octets": None}, "copies": [], "moves": []}
    assert "lag_bytes" not in exposition(list(standing_metrics(away)))
    alone = exposition(list(standing_metrics({"standby": None, "copies": [], "moves": []})))
    assert "standby" not in alone and "copy" not in alone
    if PROMTOOL:
        assert promtool_says(PROMTOOL, text) == (0, "")


def test_lost_hosts_have_figures_at_their_heir_and_at_home() -> None:
    inheriting = {"host-2": {"left": 7, "why": ""}, "host-3": {"left": None, "why": "the disk is full"}}
    told = {"succession": {"inheriting": inheriting, "returning": {}, "inherited": ["host-4"]}}
    lines = exposition(list(standing_metrics(told))).splitlines()
    for line in (
        "heliograph_inheriting 2",
        'heliograph_inheriting_waits{lost="host-2"} 0',
        'heliograph_inheriting_waits{lost="host-3"} 1',
        'heliograph_inheriting_buckets_left{lost="host-2"} 7',
        'heliograph_inherited{lost="host-4"} 1',
    ):
        assert line in lines
    assert not [line for line in lines if ("left" in line and "host-3" in line) or "returning" in line]
    back = {"succession": {"inheriting": {}, "inherited": [], "returning": {"left": 3, "held": True, "why": "..."}}}
    text = exposition(list(standing_metrics(back)))
    assert "heliograph_returning_buckets_left 3\n" in text and "heliograph_returning_queue_held 1\n" in text
    assert "heliograph_inheriting 0\n" in text and "lost=" not in text
    if PROMTOOL:
        assert promtool_says(PROMTOOL, text) == (0, "")


def test_mailboxes_elsewhere_are_counted_by_how_it_goes(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", MIGRATIONS)

    def fill(tx: Transaction) -> None:
        for n, name in enumerate(("well", "late", "fails", "locked-out", "paused")):
            rows.add(tx, name, "alice", "", Place("mail.example", 993, f"user-{n}", "INBOX"), b"", 1_000.0)
        rows.went_well(tx, "well", "nothing new", 1_000.0, 2_000.0)
        rows.failed(tx, "fails", "no answer", "", 1_000.0, 2_000.0)
        rows.failed(tx, "locked-out", "not let in", "refused", 1_000.0, 9_000.0)
        rows.suspend(tx, "paused")

    store.write_now(fill)
    assert rows.counts(store.reader) == {"read": 2, "failing": 1, "silent": 0, "refused": 1, "suspended": 1}
    assert [rows.late(store.reader, before) for before in (1_000.0, 1_500.0, 3_000.0)] == [0, 1, 3]
    store.close()


async def test_a_queue_that_stands_still_is_seen(town: Town) -> None:
    await town.stop("host-2")
    await town.person("alice").send("heidi@fabric.test", "she is at host-2")

    async def shows() -> dict[str, float]:
        return (await scrape(town))[1]

    await until(lambda: [row for row in town.waiting() if row.attempts])
    await asyncio.sleep(SAME_SECONDS)
    found = await shows()
    assert found['heliograph_queue_recipients{state="deferred"}'] == 1
    assert 0 < found["heliograph_queue_oldest_seconds"] < 60


@pytest.mark.parametrize(
    ("peer", "may"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("10.2.0.1", False),
        ("192.0.2.7", False),
        ("::ffff:192.0.2.7", False),
        ("2001:db8::1", False),
        ("", False),
    ],
)
def test_strangers_find_nothing(peer: str, may: bool) -> None:
    assert may_look(peer, (OFFICE,)) is may
    assert not may_look("10.1.2.3", ())


def test_what_stands_in_a_label_stays_there() -> None:
    metric = Metric("m", "gauge", "two\nlines \\", (Sample(1.5, (("label", 'a"b\\\nc'),)),))
    assert exposition([metric]) == '# HELP m two\\nlines \\\\\n# TYPE m gauge\nm{label="a\\"b\\\\\\nc"} 1.5\n'


def test_who_may_look_is_configured(tmp_path: Path) -> None:
    config = make_fabric(tmp_path / "f", "127.0.0.0/24", hosts=1)
    assert config.metrics_networks == ()
    path = config.root / FILE_NAME
    path.write_text(path.read_text().replace("metrics_allow_networks = []", 'metrics_allow_networks = ["10.1.0.0/16"]'))
    assert load(config.root).metrics_networks == (OFFICE,)
    path.write_text(path.read_text().replace('["10.1.0.0/16"]', '["10.1.0.0/99"]'))
    with pytest.raises(ConfigError, match="metrics_allow_networks"):
        load(config.root)
