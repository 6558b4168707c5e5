"""Records in the words of a zone file: relative where its operator would write them so.

Law: what says the same already is left as it was written.
"""

from __future__ import annotations

from collections.abc import Iterator

from directory import wire
from directory.layout import Place, Word, parts
from directory.name_text import NameReader
from directory.rdata import rdata_text, read_ttl, type_name
from directory.tokens import BadText
from directory.zone import Rrset

OWNER_COLUMNS = 12


def changes(words: list[Word], place: Place, rdata: bytes, rrset: Rrset) -> Iterator[tuple[Word, str]]:
    """Which words of a record change into what, in order."""
    ttl, at = parts(words, place)
    written = read_ttl(words[ttl].text) if ttl is not None else place.ttl
    data = _data_words(rrset.rtype, rdata, place)
    if written != rrset.ttl and ttl is not None:
        yield words[ttl], str(rrset.ttl)
    elif written != rrset.ttl:
        yield words[at], f"{rrset.ttl} {words[at].text}"
    there = words[at + 1 :]
    if len(there) == len(data):
        for word, text in zip(there, data, strict=True):
            if rrset.rtype != wire.SOA or not _says(word.text, text, place):
                yield word, text
        return
    yield there[0], " ".join(data)
    for word in there[1:]:
        yield word, ""


def _says(written: str, text: str, place: Place) -> bool:
    """14d is 1209600, and stays as the operator wrote it; a name too."""
    try:
        if text.isdecimal():
            return read_ttl(written) == int(text)
        names = NameReader(place.origin)
        return names.read(written) == names.read(text)
    except BadText:
        return False


def _data_words(rtype: int, rdata: bytes, place: Place) -> list[str]:
    text = rdata_text(rtype, rdata, place.origin)
    if rtype == wire.TXT:
        return [f'"{part}"' for part in text[1:-1].split('" "')]
    return text.split(" ")


def line_of(place: Place, owner: bytes, rdata: bytes, rrset: Rrset) -> str:
    """A record of its own, relative to the origin that holds there."""
    name = _relative(owner, place.origin)
    ttl = "" if place.ttl == rrset.ttl else f"{rrset.ttl} "
    data = " ".join(_data_words(rrset.rtype, rdata, place))
    return f"{name:<{OWNER_COLUMNS}} {ttl}{type_name(rrset.rtype)} {data}"


def _relative(owner: bytes, origin: bytes) -> str:
    if owner == origin:
        return "@"
    text = wire.text_of(owner)
    if wire.is_below(owner, origin) and len(origin) > 1:
        return text.removesuffix("." + wire.text_of(origin))
    return text + "."
