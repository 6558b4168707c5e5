"""Writes a change into the operator's zone file: the lines that say it, and no others.

Law: his comments, his order and his way of writing stay. What is written is read again and must be the zone that was
wanted, to the last record; where a file cannot be edited in place so that it is, the whole zone is written out anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from directory.layout import Layout, Place, Word
from directory.render import zone_text
from directory.tokens import BadText
from directory.wording import changes, line_of
from directory.zone import Node, Record, Rrset, Zone
from directory.zone_text import read_zone

Nodes = Mapping[bytes, Node]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The new text. `in_place`: the operator's file with some lines changed; else all of it is new."""

    content: bytes
    in_place: bool


@dataclass(slots=True)
class _Edit:
    """What becomes of one entry."""

    replaced: tuple[bytes, Rrset] | None = None  # its data, and the set that it belongs to
    removed: bool = False
    cut: dict[int, str | None] = field(default_factory=dict)  # of a $GENERATE: which of its records, the line instead
    added: list[str] = field(default_factory=list)  # lines after it
    named: str = ""  # the name that it took from an entry that goes


def rewrite(content: bytes, zone: Zone, wanted: Nodes, serial: int) -> Rewritten:
    """Return the file's content, read as `zone` (with its lines), changed to hold `wanted`, under a serial."""
    target = Zone(zone.origin, wanted).with_serial(serial)
    try:
        text = _Rewriting(content.decode("utf-8", "surrogateescape"), zone, target).text()
        result = text.encode("utf-8", "surrogateescape")
        if _is(result, target):
            return Rewritten(result, True)
    except (BadText, IndexError, KeyError, ValueError):
        pass  # a layout that we do not understand is not ours to edit
    return Rewritten(zone_text(target, "written out anew by a dynamic update").encode("ascii"), False)


def _is(content: bytes, target: Zone) -> bool:
    again = read_zone(content, target.domain).zone
    return again is not None and _filled(again.nodes) == _filled(target.nodes)


def _filled(nodes: Nodes) -> dict[bytes, Node]:
    """Without the empty names between."""
    return {owner: node for owner, node in nodes.items() if node}


class _Rewriting:
    """One change of one file."""

    def __init__(self, text: str, zone: Zone, target: Zone) -> None:
        self._layout = Layout(text, zone.origin)
        self._zone, self._target = zone, target
        self._edits: dict[int, _Edit] = {}  # by the entry's number
        self._at_end: list[str] = []
        self._indexes: dict[Record, int] = {}  # made once, when one is wanted

    def text(self) -> str:
        owners = self._zone.nodes.keys() | self._target.nodes.keys()
        changed = {o for o in owners if self._zone.nodes.get(o, {}) is not self._target.nodes.get(o, {})}
        by_set: dict[tuple[bytes, int], list[Record]] = {}
        for record in self._zone.records:
            if record.owner in changed:
                by_set.setdefault((record.owner, record.rtype), []).append(record)
        for owner in sorted(changed):
            for rtype in sorted({*self._zone.nodes.get(owner, {}), *self._target.nodes.get(owner, {})}):
                self._decide(owner, rtype, by_set.get((owner, rtype), []))
        self._give_names_on()
        return self._apply()

    # --- what is to be done

    def _decide(self, owner: bytes, rtype: int, there: list[Record]) -> None:
        """Pair what goes with what comes: a bucket's new owner is written over its old one."""
        old = self._zone.nodes.get(owner, {}).get(rtype)
        new = self._target.nodes.get(owner, {}).get(rtype)
        if old == new:
            return
        same_ttl = old is not None and new is not None and old.ttl == new.ttl
        stay = [record for record in there if new and same_ttl and record.rdata in new.rdatas]
        gone = [record for record in there if record not in stay]
        fresh = [rdata for rdata in (new.rdatas if new else ()) if rdata not in {record.rdata for record in stay}]
        if new is not None:
            for record, rdata in _pairs(gone, fresh):
                self._replace(record, rdata, new)
                gone.remove(record)
                fresh.remove(rdata)
            for rdata in fresh:
                self._add(owner, rdata, new, there)
        for record in gone:
            self._remove(record)

    def _edit(self, place: Place) -> _Edit:
        return self._edits.setdefault(place.number, _Edit())

    def _replace(self, record: Record, rdata: bytes, rrset: Rrset) -> None:
        place = self._layout.by_line[record.line]
        if place.generates:
            self._edit(place).cut[self._index(record)] = line_of(place, record.owner, rdata, rrset)
        else:
            self._edit(place).replaced = rdata, rrset

    def _remove(self, record: Record) -> None:
        place = self._layout.by_line[record.line]
        if place.generates:
            self._edit(place).cut[self._index(record)] = None
        else:
            self._edit(place).removed = True

    def _add(self, owner: bytes, rdata: bytes, rrset: Rrset, there: list[Record]) -> None:
        """After what is there of this set, or of this name, or of its kind (b7.timeline after b6.timeline)."""
        place = self._anchor(owner, rrset.rtype, there)
        if place is None:
            place = self._layout.places[-1]
            self._at_end.append(line_of(place, owner, rdata, rrset))
            return
        while (following := self._layout.following(place)) and following.continues:
            place = following
        self._edit(place).added.append(line_of(place, owner, rdata, rrset))

    def _anchor(self, owner: bytes, rtype: int, there: list[Record]) -> Place | None:
        parent = owner[owner[0] + 1 :]
        best: tuple[int, int] = (0, 0)
        for record in [] if there else self._zone.records:
            kin = record.owner[record.owner[0] + 1 :] == parent and record.rtype == rtype
            score = 2 if record.owner == owner else 1 if kin and owner != self._zone.origin else 0
            best = max(best, (score, record.line)) if score else best
        line = max(record.line for record in there) if there else best[1]
        return self._layout.by_line.get(line)

    def _index(self, record: Record) -> int:
        """The how-manieth record of its $GENERATE it is."""
        if not self._indexes:
            counts: dict[int, int] = {}
            for each in self._zone.records:
                self._indexes[each] = counts[each.line] = counts.get(each.line, -1) + 1
        return self._indexes[record]

    def _give_names_on(self) -> None:
        """Where an entry with a name goes, the next one that continued it gets the name."""
        for number, edit in sorted(self._edits.items()):
            place = self._layout.places[number]
            if not edit.removed or not (place.owned or edit.named):
                continue
            following = self._layout.following(place)
            if following and following.continues:
                self._edit(following).named = edit.named or place.first

    # --- doing it

    def _apply(self) -> str:
        """From the last line to the first, so that places stay true."""
        lines = self._layout.lines
        if self._at_end:
            while lines and not lines[-1].strip():
                lines.pop()
            lines.extend([*self._at_end, ""])
        for number in sorted(self._edits, reverse=True):
            place, edit = self._layout.places[number], self._edits[number]
            last = self._layout.last_line(place)
            lines[last:last] = edit.added
            if edit.removed:
                del lines[place.line - 1 : last]
            elif edit.cut:
                lines[place.line - 1 : last] = self._pieces(place, edit.cut)
            else:
                self._edit_words(place, edit)
        return "\n".join(lines)

    def _edit_words(self, place: Place, edit: _Edit) -> None:
        words = self._layout.words(place)
        if edit.replaced:
            for word, text in reversed(list(changes(words, place, *edit.replaced))):
                self._splice(word, text)
        if edit.named:
            line = self._layout.lines[place.line - 1]
            body = line.lstrip()
            self._layout.lines[place.line - 1] = edit.named.ljust(len(line) - len(body) - 1) + " " + body

    def _splice(self, word: Word, text: str) -> None:
        """Put a word in another's place; what stands behind keeps its column where there is room."""
        line = self._layout.lines[word.line - 1]
        behind = line[word.end :]
        grown = len(text) - (word.end - word.start)
        room = len(behind) - len(behind.lstrip(" "))
        if behind.strip() and room > 1:
            behind = " " * max(1, room - grown) + behind.lstrip(" ")
        self._layout.lines[word.line - 1] = line[: word.start] + text + behind

    def _pieces(self, place: Place, cut: Mapping[int, str | None]) -> Iterator[str]:
        """A $GENERATE as the ranges that are left, with the lines instead of what was cut out between them."""
        words = self._layout.words(place)
        line, spread = self._layout.lines[place.line - 1], words[1]
        bounds, _, step = spread.text.partition("/")
        numbers = range(int(bounds.partition("-")[0]), int(bounds.partition("-")[2]) + 1, max(1, int(step or 1)))
        begin, tail = 0, line[spread.end :]
        for index in [*sorted(cut), len(numbers)]:
            if begin < index:
                first, last = numbers[begin], numbers[index - 1]
                yield f"{line[: spread.start]}{first}-{last}{'/' + step if step else ''}{tail}"
                tail = line[spread.end : words[-1].end]  # the comment stays with the first piece
            if instead := cut.get(index):
                yield instead
            begin = index + 1


def _pairs(gone: list[Record], fresh: list[bytes]) -> list[tuple[Record, bytes]]:
    """Which line is written over with what: what only gets another TTL over itself, the rest in order."""
    same: dict[bytes, Record] = {}
    for record in gone:
        if record.rdata in fresh:
            same.setdefault(record.rdata, record)
    free = [record for record in gone if record not in same.values()]
    other = [rdata for rdata in fresh if rdata not in same]
    return [*((record, rdata) for rdata, record in same.items()), *zip(free, other, strict=False)]
