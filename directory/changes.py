"""The changes of an incremental transfer (RFC 1995 4), carried out on the version that they are of.

Law: all of them or none; what does not fit is an error, never a zone that nobody wrote.
"""

from __future__ import annotations

from directory import wire
from directory.wire import Malformed
from directory.zone import Record, Zone, soa_numbers


def changed(ours: Zone, records: list[Record]) -> list[Record]:
    """Carry out the changes, version by version."""
    there = {(owner, rrset.rtype, rdata): rrset.ttl for owner, rrset in ours.rrsets() for rdata in rrset.rdatas}
    serial, deleting = ours.serial, False
    for record in records[1:]:
        if record.rtype == wire.SOA:
            deleting = not deleting
            if deleting and soa_numbers(record.rdata)[0] != serial:
                raise Malformed("changes of another version than the one before")
            serial = soa_numbers(record.rdata)[0]
        elif deleting:
            if there.pop((record.owner, record.rtype, record.rdata), None) is None:
                raise Malformed("changes of a zone that is not ours")
        else:
            there[record.owner, record.rtype, record.rdata] = record.ttl
    last = records[0]
    if deleting or serial != soa_numbers(last.rdata)[0]:
        raise Malformed("the changes do not lead to the zone that they are of")
    whole = [Record(owner, rtype, ttl, rdata, 0) for (owner, rtype, rdata), ttl in there.items()]
    return [last, *whole]
