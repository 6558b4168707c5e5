"""The figures of a host, and what Prometheus calls them.

Law: pure: measured elsewhere (`measuring.py`), named here. Names do not change: dashboards and alarms hang on them. No
label holds a name that strangers choose (a domain, an address), for each makes a series that is kept for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.metrics import Kind, Metric, Sample, labelled
from heliograph.health.standing_figures import standing_metrics
from store.events import Tally

NONE = Tally()


@dataclass(frozen=True, slots=True)
class Live:
    """What only the running host knows. `destinations`: how many answer, how many are left alone for a while;
    `declined`: answers at the door; `owned`: buckets by map; `unsettled`: those where the zone says otherwise;
    `standing`: of second copies and moves, see `standing.py`."""

    imap_sessions: int
    idle_sessions: int
    destinations: Mapping[str, int]
    declined: Mapping[str, int]
    serial: int
    owned: Mapping[str, int]
    unsettled: int
    standing: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored:
    """What is read from the database. `held`: recipients that wait here, for a bucket that is on its way; `oldest_at`:
    when the oldest message in the queue came, 0 for none; `mailboxes`: elsewhere, by state; `events`: by kind, since
    the start."""

    messages: int
    fresh: int
    deferred: int
    held: int
    oldest_at: float
    feeds: int
    feeds_due: int
    feeds_late: int
    mailboxes: Mapping[str, int]
    mailboxes_late: int
    events: Mapping[str, Tally]


@dataclass(frozen=True, slots=True)
class Machine:
    """What the operating system and the writer know."""

    commits: int
    commit_seconds: float
    database_octets: int
    wal_octets: int
    disk_free_octets: int
    zone_taken_at: float
    started_at: float
    cpu_seconds: float
    memory_octets: int


def metrics(live: Live, stored: Stored, machine: Machine, now: float) -> list[Metric]:
    """Every metric of a host."""
    return [
        *_mail(live, stored, now),
        *_sessions(live),
        *_store(machine),
        *_zone(live, machine, now),
        *standing_metrics(live.standing),
        *_feeds(stored),
        *_mailboxes(stored),
    ]


def _one(name: str, kind: Kind, text: str, value: float) -> Metric:
    return Metric(f"heliograph_{name}", kind, text, (Sample(value),))


def _several(name: str, kind: Kind, text: str, label: str, values: Mapping[str, float]) -> Metric:
    return Metric(f"heliograph_{name}", kind, text, labelled(label, values))


def _mail(live: Live, stored: Stored, now: float) -> Iterator[Metric]:
    waits = {"fresh": stored.fresh, "deferred": stored.deferred}
    age = max(now - stored.oldest_at, 0.0) if stored.oldest_at else 0.0
    yield _one("queue_messages", "gauge", "Messages in the queue.", stored.messages)
    yield _several("queue_recipients", "gauge", "Recipients in the queue: fresh, or put off.", "state", waits)
    text = "Of these, those put off here: for buckets that are on their way, mostly."
    yield _one("queue_held_recipients", "gauge", text, stored.held)
    yield _one("queue_oldest_seconds", "gauge", "Age of the oldest message in the queue, 0 for none.", age)
    text = "Destinations in memory: those that answer, and those left alone for a while because they did not."
    yield _several("queue_destinations", "gauge", text, "state", live.destinations)
    events = stored.events
    accepted = events.get("accepted", NONE)
    yield _one("messages_accepted_total", "counter", "Messages taken in at the door, durably.", accepted.events)
    yield _one("recipients_accepted_total", "counter", "Recipients of these messages.", accepted.recipients)
    outcomes = {"delivered": "delivered", "deferred": "deferred", "refused": "bounced"}
    counts = {word: events.get(kind, NONE).recipients for word, kind in outcomes.items()}
    yield _several(
        "deliveries_total", "counter", "Attempts at a recipient in the queue, by outcome.", "outcome", counts
    )
    yield _several("door_declined_total", "counter", "Negative answers at the mail doors.", "reply", live.declined)
    expanded, filed = events.get("expanded", NONE), events.get("filed", NONE)
    yield _one("posts_expanded_total", "counter", "Posts that a reflector of this host numbered.", expanded.events)
    yield _one("posts_filed_total", "counter", "Posts filed for all their followers here, once each.", filed.posts)
    letters = filed.events - filed.posts
    yield _one("letters_filed_total", "counter", "Letters filed into mailboxes of this host.", letters)


def _sessions(live: Live) -> Iterator[Metric]:
    yield _one("imap_sessions", "gauge", "Open IMAP connections.", live.imap_sessions)
    yield _one("imap_idle_sessions", "gauge", "Of these, those that wait in IDLE.", live.idle_sessions)


def _store(machine: Machine) -> Iterator[Metric]:
    samples = (Sample(machine.commit_seconds, (), "_sum"), Sample(machine.commits, (), "_count"))
    text = "Groups of writes, from their first statement until they were on disk."
    yield Metric("heliograph_store_commit_seconds", "summary", text, samples)
    yield _one("store_database_bytes", "gauge", "Size of the database.", machine.database_octets)
    yield _one("store_wal_bytes", "gauge", "Size of its write-ahead log.", machine.wal_octets)
    yield _one("store_disk_free_bytes", "gauge", "Room left on its disk.", machine.disk_free_octets)
    text = "Memory in use."
    yield Metric("process_resident_memory_bytes", "gauge", text, (Sample(machine.memory_octets),))
    text = "Processor time used."
    yield Metric("process_cpu_seconds_total", "counter", text, (Sample(machine.cpu_seconds),))
    text = "When the process started, in seconds since 1970."
    yield Metric("process_start_time_seconds", "gauge", text, (Sample(machine.started_at),))


def _zone(live: Live, machine: Machine, now: float) -> Iterator[Metric]:
    age = max(now - machine.zone_taken_at, 0.0)
    yield _one("zone_serial", "gauge", "Serial of the zone that this host routes by.", live.serial)
    yield _one("zone_age_seconds", "gauge", "How long ago this host took that zone.", age)
    yield _several("buckets_owned", "gauge", "Buckets that this host owns.", "map", live.owned)
    text = "Buckets that the zone gives to another host, or to this one, and that were not handed over."
    yield _one("buckets_unsettled", "gauge", text, live.unsettled)


def _feeds(stored: Stored) -> Iterator[Metric]:
    yield _one("feeds", "gauge", "Feeds that this host polls.", stored.feeds)
    yield _one("feeds_due", "gauge", "Of these, those to be polled now.", stored.feeds_due)
    yield _one(
        "feeds_late", "gauge", "Of these, those that should have been polled some minutes ago.", stored.feeds_late
    )


def _mailboxes(stored: Stored) -> Iterator[Metric]:
    text = "Mailboxes elsewhere, by how reading them goes: `silent` and `refused` are tried once a week."
    yield _several("mailboxes_elsewhere", "gauge", text, "state", stored.mailboxes)
    text = "Of these, those that should have been looked into some minutes ago."
    yield _one("mailboxes_elsewhere_late", "gauge", text, stored.mailboxes_late)
