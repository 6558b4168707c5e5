"""Columns carried over from change to change are those that would be read anew."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_host import entries, folders
from mailbox_host.columns import columns_of, read_columns
from tests.mailbox_host.house import House

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
                entries.store_flags(house.tx, folder, [uid], "+", entries.SEEN, frozenset())
            case "word":
                entries.store_flags(house.tx, folder, [uid, uid + 1], "=", 0, frozenset({"$Junk"}))
            case "expunge":
                entries.expunge(house.tx, folder, [uid])
        if step % every == 0:
            found = folders.find_folder(house.tx, "alice", "INBOX")
            assert found is not None
            known = read_columns(house.tx, folder, found.modseq, known)
            assert known == columns_of(found.modseq, entries.entries(house.tx, folder))
            assert known.counts() == folders.counts(house.tx, folder)
            assert [known.entry(place) for place in range(len(known.uids))] == entries.entries(house.tx, folder)


class Hasty:
    """A reader that another session outruns: messages go between two of its looks."""

    def __init__(self, house: House, folder: int, uids: list[int]) -> None:
        self._house, self._folder, self._uids = house, folder, uids

    def all(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        if "FROM expunged" in sql:
            entries.expunge(self._house.tx, self._folder, self._uids)
        return self._house.tx.all(sql, values)

    def one(self, sql: str, values: tuple[object, ...] = ()) -> tuple[object, ...] | None:
        return self._house.tx.one(sql, values)


def test_what_changed_and_went_between_two_looks_stays_away() -> None:
    house = House()
    house.move_in("alice")
    folder = house.folder("alice")
    house.append("alice", *(f"message {number}" for number in range(20)))
    found = folders.find_folder(house.tx, "alice", "INBOX")
    assert found is not None
    known = read_columns(house.tx, folder, found.modseq, None)
    house.append("alice", "another")
    entries.store_flags(house.tx, folder, [5], "+", entries.SEEN, frozenset())
    seen = read_columns(Hasty(house, folder, [5]), folder, found.modseq + 2, known)  # type: ignore[arg-type]
    assert list(seen.uids) == [1, 2, 3, 4, *range(6, 22)]
