"""Columns carried over from change to change are those that would be read anew."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_host import entries, folders
from mailbox_host.columns import columns_of, read_columns
from tests.mailbox_host.house import NOW, House

CHANGES = st.lists(
    st.tuples(st.sampled_from(["append", "flag", "word", "expunge"]), st.integers(1, 30)), min_size=1, max_size=12
)


@given(CHANGES, st.integers(1, 4))
@settings(deadline=None, max_examples=60)
def test_columns_follow_the_folder(changes: list[tuple[str, int]], every: int) -> None:
    house = House()
    house.move_in("alice")
    folder = house.folder("alice")
    house.append("alice", *(f"message {number}" for number in range(20)))
    known = None
    for step, (change, uid) in enumerate(changes):
        match change:
            case "append":
                house.append("alice", "another")
            case "flag":
                entries.store_flags(house.tx, folder, [uid], "+", entries.SEEN, frozenset(), NOW)
            case "word":
                entries.store_flags(house.tx, folder, [uid, uid + 1], "=", 0, frozenset({"$Junk"}), NOW)
            case "expunge":
                entries.expunge(house.tx, folder, [uid], NOW)
        if step % every == 0:
            found = folders.find_folder(house.tx, "alice", "INBOX")
            assert found is not None
            known = read_columns(house.tx, folder, found.modseq, known)
            assert known == columns_of(found.modseq, entries.entries(house.tx, folder))
            assert known.counts() == folders.counts(house.tx, folder)
            assert [known.entry(place) for place in range(len(known.uids))] == entries.entries(house.tx, folder)
