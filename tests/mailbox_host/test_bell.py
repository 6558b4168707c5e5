"""The bell wakes who waits, each once, and forgets who left."""

from __future__ import annotations

from mailbox_host.bell import Bell


def test_who_waits_for_an_account_or_a_source_is_woken() -> None:
    bell, heard = Bell(), []
    bell.listen("alice", ["bob", "dora"], lambda: heard.append("alice's phone"))
    bell.listen("alice", [], lambda: heard.append("alice's desk"))
    bell.listen("carol", ["bob"], lambda: heard.append("carol"))
    bell.ring_account("alice")
    assert sorted(heard) == ["alice's desk", "alice's phone"]
    heard.clear()
    bell.ring_sources(["bob", "dora", "nobody"])
    assert sorted(heard) == ["alice's phone", "carol"]


def test_a_listener_changes_its_sources_and_leaves_nothing_behind() -> None:
    bell, heard = Bell(), []
    listener = bell.listen("alice", ["bob"], lambda: heard.append(1))
    listener.follow(["dora"])
    bell.ring_sources(["bob"])
    assert heard == []
    bell.ring_sources(["dora"])
    assert heard == [1]
    listener.close()
    listener.close()
    bell.ring_sources(["dora"])
    bell.ring_account("alice")
    assert heard == [1] and not bell._accounts and not bell._sources


def test_one_that_leaves_while_it_rings_disturbs_nobody() -> None:
    bell, heard = Bell(), []
    listeners = [bell.listen("alice", ["bob"], lambda: (heard.append(1), [each.close() for each in listeners]))]
    listeners.append(bell.listen("alice", ["bob"], lambda: heard.append(2)))
    bell.ring_account("alice")
    bell.ring_sources(["bob"])
    assert 1 in heard
