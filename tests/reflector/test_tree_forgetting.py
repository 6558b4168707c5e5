"""What a hand-over leaves behind that nobody finished goes in the end."""

from __future__ import annotations

from mail.follower_rows import Row
from reflector.adopting import stage
from tests.reflector.town import Town

ROWS = [Row("eve@pen.test", 1, 1), Row("carol@pen.test", 1, 2)]


def held(town: Town) -> tuple[int, int]:
    part, staged = (town.tx.all(f"SELECT 1 FROM {table}") for table in ("part", "staged"))
    return len(part), len(staged)


def test_rows_whose_other_parts_never_came_are_forgotten_with_their_part() -> None:
    town = Town()
    assert not stage(town.tx, "bob+sub.1", "", 5, 1, 0, ROWS, town.now)
    town.now += 86_400
    assert not stage(town.tx, "bob+sub.2", "", 5, 1, 0, ROWS, town.now)
    town.room.work(town.tx, town.now)
    assert held(town) == (2, 4)
    town.room.work(town.tx, town.now + town.settings.repeat_seconds - 1)
    assert held(town) == (1, 2)
    town.room.work(town.tx, town.now + town.settings.repeat_seconds + 1)
    assert held(town) == (0, 0)
