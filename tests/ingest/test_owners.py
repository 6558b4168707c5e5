"""Somebody's account was removed: what posts in her name posts no more, wherever it is, and wherever it goes."""

from __future__ import annotations

from ingest import applications, carrying
from ingest.mailboxes import rows
from ingest.mailboxes.place import place_of
from mail.feed_control import OwnerGone
from store import Transaction
from tests.ingest.conftest import NAMES, Host

PLACE = place_of("imaps://carol@far.example/")


def of(tx: Transaction, owner: str, name: str) -> int:
    applications.add(tx, applications.Application(name, owner, ""), bytes(32), 1.0)
    rows.add(tx, f"{name}-in", owner, "", place_of(f"imaps://{name}@far.example/"), b"", 1.0)
    return 0


def told(host: Host, signed_by: str = "host-2") -> None:
    host.receive("Heliograph-Control: owner-gone owner=carol\n\n", sender="", signed_by=signed_by, bucket=0)


def left(host: Host) -> list[str]:
    return [each.name for each in applications.page(host.store.reader)] + [
        each.source for each in rows.page(host.store.reader)
    ]


async def test_her_programs_and_mailboxes_are_gone_and_nobody_elses(host: Host) -> None:
    await host.poller.stop()
    for owner, name in (("carol", "lamps"), ("bob", "bells")):
        host.store.write_now(lambda tx, owner=owner, name=name: of(tx, owner, name))  # type: ignore[misc]
    told(host, signed_by="")
    assert len(left(host)) == 4
    told(host)
    assert left(host) == ["bells", "bells-in"] and host.letters == []


async def test_what_is_on_its_way_is_followed_to_its_bucket(host: Host) -> None:
    await host.poller.stop()
    host.store.write_now(lambda tx: of(tx, "carol", "lamps"))
    host.store.write_now(lambda tx: of(tx, "bob", "bells"))
    host.store.write_now(lambda tx: carrying.leave(tx, ["app/lamps", "imap/lamps-in", "app/bells"]))
    told(host)
    assert {letter.to for letter in host.letters} == {
        NAMES.follow(NAMES.bucket(each)) for each in ("lamps", "lamps-in")
    }
    assert host.controls == [OwnerGone("carol")] * 2 and all(letter.signed for letter in host.letters)
