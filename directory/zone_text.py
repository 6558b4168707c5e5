"""Reads a zone from the text of a master file (RFC 1035 5), fast: 8,192 buckets in some 50 ms.

Law: a reader never stops at the first mistake and never guesses: what it cannot read becomes a `Problem` with its
line, and then there is no zone.
"""

from __future__ import annotations

from dataclasses import dataclass

from directory import wire
from directory.generate import generated
from directory.name_text import NameReader
from directory.problem import Problem, capped
from directory.rdata import RDATA_OCTETS_MAX, read_rdata, read_ttl, type_name, type_number
from directory.tokens import BadText, Entry, entries
from directory.zone import Record, Zone, soa_numbers, zone_of

ZONE_OCTETS_MAX = 64 * 2**20  # 65,536 buckets in both maps with standbys, every line written out, take 10 MiB
PROBLEMS_READ_MAX = 10_000  # after that it is a file of another kind
RECORDS_MAX = 1_000_000  # the same fabric has 262,144

_TYPES = {
    spelling: number
    for number in (wire.A, wire.AAAA, wire.NS, wire.CNAME, wire.MX, wire.TXT, wire.SOA, wire.SRV)
    for spelling in (type_name(number), type_name(number).lower())
}
_DIGITS = frozenset("0123456789")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says: a zone, or problems that say why there is none."""

    zone: Zone | None
    problems: tuple[Problem, ...] = ()


def read_zone(content: bytes, domain: str) -> Reading:
    """Read the zone of `domain`."""
    if len(content) > ZONE_OCTETS_MAX:
        return _refused(f"{len(content):,} octets are too many for a zone", f"{ZONE_OCTETS_MAX:,} is the most.")
    reader = _Reader(wire.name_of(domain))
    reader.read(content.decode("utf-8", "surrogateescape"))
    if not reader.problems:
        reader.problems.extend(_structure(reader.apex, reader.records))
    if reader.problems:
        return Reading(None, capped(reader.problems))
    return Reading(zone_of(reader.apex, reader.records))


def _refused(text: str, remedy: str) -> Reading:
    return Reading(None, (Problem(0, text, remedy),))


class _Reader:
    """The state that one line leaves to the next (RFC 1035 5.1): origin, owner, TTLs."""

    def __init__(self, apex: bytes) -> None:
        self.apex = apex
        self.names = NameReader(apex)
        self.records: list[Record] = []
        self.problems: list[Problem] = []
        self._owner: bytes | None = None
        self._default_ttl: int | None = None  # $TTL, RFC 2308 4
        self._last_ttl: int | None = None  # the last that was written out, RFC 1035 5.1
        self._mx: dict[tuple[str, str], bytes] = {}  # "10", "host-1" -> rdata; a fabric has few distinct ones

    def read(self, text: str) -> None:
        for entry in entries(text):
            if not isinstance(entry, Entry):
                self._problem(entry[0], entry[1])
                continue
            try:
                self._entry(entry)
            except BadText as bad:
                self._problem(entry.line, bad)
            if len(self.problems) > PROBLEMS_READ_MAX:
                return None
            if len(self.records) > RECORDS_MAX:
                too_many = BadText(f"over {RECORDS_MAX:,} records", "A zone of that size is not for this server.")
                return self._problem(entry.line, too_many)
        return None

    def _problem(self, line: int, bad: BadText) -> None:
        self.problems.append(Problem(line, bad.text, bad.remedy))

    def _entry(self, entry: Entry) -> None:
        if entry.owned and entry.tokens[0].startswith("$"):
            return self._directive(entry)
        tokens = entry.tokens
        if entry.owned:
            self._owner = self._owner_name(tokens[0])
        if self._owner is None:
            raise BadText("a line without a name, and none before it", "Begin the line with the record's name.")
        return self._record(tokens, 1 if entry.owned else 0, entry.line)

    def _directive(self, entry: Entry) -> None:
        keyword, arguments = entry.tokens[0].upper(), entry.tokens[1:]
        if keyword == "$GENERATE":
            for tokens in generated(arguments):
                self._owner = self._owner_name(tokens[0])
                self._record(tokens, 1, entry.line)
        elif keyword == "$ORIGIN" and len(arguments) == 1:
            self.names, self._mx = NameReader(self.names.read(arguments[0])), {}
        elif keyword == "$TTL" and len(arguments) == 1:
            self._default_ttl = read_ttl(arguments[0])
        elif keyword == "$INCLUDE":
            raise BadText("$INCLUDE is not followed", "Put the records into this one file.")
        else:
            raise BadText(f"{' '.join(entry.tokens)[:60]!a} is no directive", "Use $ORIGIN, $TTL or $GENERATE.")

    def _record(self, tokens: list[str], at: int, line: int) -> None:
        """Read ``[TTL] [class] type data`` or ``[class] [TTL] type data`` from tokens[at:]."""
        ttl: int | None = None
        rtype: int | None = None
        while at < len(tokens) and rtype is None:
            token = tokens[at]
            rtype = _TYPES.get(token)
            if rtype is None and token[0] in _DIGITS and ttl is None:
                ttl = self._last_ttl = read_ttl(token)
            elif rtype is None and token.upper() in ("CH", "HS", "CS"):
                raise BadText(f"class {token}", "The only class is IN.")
            elif rtype is None and token.upper() != "IN":
                rtype = type_number(token)
            at += 1
        if rtype is None:
            raise BadText("a record without a type", "A line reads: owner, TTL, IN, type, data.")
        rdata = self._rdata(rtype, tokens, at)
        if ttl is None:
            ttl = self._ttl(rtype, rdata)
        assert self._owner is not None
        self.records.append(Record(self._owner, rtype, ttl, rdata, line))

    def _rdata(self, rtype: int, tokens: list[str], at: int) -> bytes:
        if rtype == wire.MX and len(tokens) == at + 2:
            key = (tokens[at], tokens[at + 1])
            rdata = self._mx.get(key)
            if rdata is None:
                rdata = self._mx[key] = read_rdata(rtype, key, self.names.read, self.names.origin)
            return rdata
        rdata = read_rdata(rtype, tokens[at:], self.names.read, self.names.origin)
        if len(rdata) > RDATA_OCTETS_MAX:
            raise BadText(f"{len(rdata)} octets of data", f"{RDATA_OCTETS_MAX} fit into a message.")
        return rdata

    def _ttl(self, rtype: int, rdata: bytes) -> int:
        default = self._last_ttl if self._default_ttl is None else self._default_ttl
        if default is not None:
            return default
        if rtype == wire.SOA:
            return soa_numbers(rdata)[4]  # RFC 1035 3.3.13 as it was meant; BIND does the same
        raise BadText("no TTL here, nor a $TTL before", "Begin the file with $TTL 300.")

    def _owner_name(self, token: str) -> bytes:
        name = self.names.read(token).lower()
        if not wire.is_below(name, self.apex):
            where = wire.text_of(self.apex)
            raise BadText(
                f"{wire.text_of(name)} is not in the zone {where}", "Mend the name or the $ORIGIN, or take it out."
            )
        return name


def _structure(apex: bytes, records: list[Record]) -> list[Problem]:
    """What makes records a zone at all: one SOA, at the apex, and nothing beside a CNAME (RFC 1034 3.6.2)."""
    problems = []
    soas = [record for record in records if record.rtype == wire.SOA]
    if not soas:
        remedy = "Add: @ SOA host-1 postmaster (1 300 60 14d 60)."
        problems.append(Problem(0, f"no SOA for {wire.text_of(apex)}", remedy))
    for record in soas[1:]:
        problems.append(Problem(record.line, "a second SOA", f"Take it out; line {soas[0].line} has the first."))
    for record in soas[:1]:
        if record.owner != apex:
            text = f"the SOA is of {wire.text_of(record.owner)}, not of {wire.text_of(apex)}"
            problems.append(Problem(record.line, text, "Write @ before SOA, under the right $ORIGIN."))
    aliases = {record.owner: record.line for record in records if record.rtype == wire.CNAME}
    beside = [record for record in records if record.owner in aliases] if aliases else []
    for record in beside:
        if record.rtype != wire.CNAME or record.line != aliases[record.owner]:
            text = f"{wire.text_of(record.owner)} has a CNAME and other records"
            problems.append(Problem(record.line, text, f"An alias stands alone; see line {aliases[record.owner]}."))
    return problems
