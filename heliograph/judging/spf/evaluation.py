"""check_host() (RFC 7208 4): what a domain says of an address, asked step by step.

Law: pure. A check is a generator: it yields questions and is sent the answers, and returns the result. It ends whatever
it is told: after ten terms that ask, two look-ups in vain, ten names for each MX and PTR (4.6.4), and what it costs us.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import idna

from heliograph.judging.spf.macros import NAME_CHARACTERS_MAX, Words
from heliograph.judging.spf.record import Term, is_record, read_record

TERMS_MAX = 10
VOIDS_MAX = 2
NAMES_MAX = 10  # of an MX, of a PTR
LABEL_CHARACTERS_MAX = 63
# The RFC allows 122 questions, each answered with as much as DNS can carry, for a message that a stranger made up:
# seconds of work. Records that are not made for that ask twenty at most, and are told less than a hundred values.
QUESTIONS_MAX = 50
RECORDS_MAX = 500

Client = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Question:
    """`kind`: TXT, A, AAAA, MX or PTR."""

    name: str
    kind: str


Answer = Sequence[str] | None  # () where there is none, None where that cannot be found out now
Found = TypeVar("Found")
Steps = Generator[Question, Answer, Found]


def check(client: Client, sender: str, helo: str) -> Steps[str]:
    """Return pass, fail, softfail, neutral, none, temperror or permerror, for a sender that is no null path."""
    local, _, domain = sender.rpartition("@")
    run = _Check(client, local or "postmaster", a_label(domain), a_label(helo) or helo)  # 4.3
    try:
        return (yield from run.host(run.domain))
    except _Ended as end:
        return end.result


def a_label(domain: str) -> str:
    """Return the name as it stands in the DNS, in lower case (4.3); "" for what can be none."""
    try:
        return domain.lower() if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return ""


def is_name(text: str) -> bool:
    """Tell whether a name can be asked for: of two labels at least (4.3)."""
    labels = text.removesuffix(".").split(".")
    sizes = all(0 < len(label) <= LABEL_CHARACTERS_MAX for label in labels)
    return len(labels) > 1 and sizes and len(text) <= NAME_CHARACTERS_MAX + 1 and text.isascii()


class _Ended(Exception):
    """The whole check has come to this, however deep it was found: an error of what is included is an error of what
    includes it (5.2)."""

    def __init__(self, result: str) -> None:
        self.result = result


class _Check:
    def __init__(self, client: Client, local: str, domain: str, helo: str) -> None:
        mapped = client.ipv4_mapped if isinstance(client, ipaddress.IPv6Address) else None
        self._client = client = mapped or client  # 5
        self._kind = "A" if client.version == 4 else "AAAA"
        self.domain = domain
        self._values = _values(client, local, domain, helo)
        self._terms = self._voids = self._questions = self._records = 0
        self._names: list[str] | None = None

    def host(self, domain: str) -> Steps[str]:
        if not is_name(domain):
            return "none"
        records = [text for text in (yield from self._known(domain, "TXT")) if is_record(text)]
        if not records:
            return "none"
        record = read_record(records[0]) if len(records) == 1 else None
        if record is None:
            raise _Ended("permerror")
        for term in record.terms:
            if (yield from self._matches(term, domain)):
                return term.result
        return (yield from self._other(record.redirect, domain)) if record.redirect else "neutral"

    def _other(self, words: Words, domain: str) -> Steps[str]:
        """What another domain says: that it says nothing is an error (5.2, 6.1)."""
        result = yield from self.host((yield from self._target(words, domain)))
        if result == "none":
            raise _Ended("permerror")
        return result

    def _target(self, words: Words | None, domain: str) -> Steps[str]:
        """Return the name that a term asks for."""
        self._terms += 1
        if self._terms > TERMS_MAX:
            raise _Ended("permerror")
        if words is None:
            return domain
        own = {"d": domain, "p": (yield from self._own_name(domain)) if "p" in words.letters else ""}
        return words.expand({**self._values, **own})

    def _matches(self, term: Term, domain: str) -> Steps[bool]:
        if term.kind == "all":
            return True
        if term.network:
            return self._client in term.network
        if term.words and not self._values["l"].isascii() and term.words.letters & {"l", "s"}:
            return False  # RFC 8616 4: such a term never matches
        if term.kind == "include":
            assert term.words is not None
            return (yield from self._other(term.words, domain)) == "pass"
        name = yield from self._target(term.words, domain)
        return is_name(name) and (yield from self._is_of(term, name.lower()))

    def _is_of(self, term: Term, name: str) -> Steps[bool]:
        match term.kind:
            case "a":
                return self._is_near(term, (yield from self._found(name, self._kind)))
            case "mx":
                return (yield from self._is_exchange(term, name))
            case "exists":
                return bool((yield from self._found(name, "A")))  # of an IPv6 client, too (5.7)
            case _:
                names = yield from self._own_names()
                return any(f".{one}".endswith(f".{name.removesuffix('.')}") for one in names)

    def _is_exchange(self, term: Term, name: str) -> Steps[bool]:
        names = yield from self._found(name, "MX")
        if len(names) > NAMES_MAX:
            raise _Ended("permerror")
        for one in filter(is_name, names):  # a null MX has no name
            if self._is_near(term, (yield from self._found(one, self._kind))):
                return True
        return False

    def _is_near(self, term: Term, addresses: Sequence[str]) -> bool:
        prefix = term.prefix4 if self._client.version == 4 else term.prefix6
        return any(self._client in ipaddress.ip_network(f"{one}/{prefix}", strict=False) for one in addresses)

    def _own_names(self) -> Steps[Sequence[str]]:
        """The client's names by PTR that lead back to it (5.5). Those in vain do not count: the client's owner writes
        them, and should not have a way to turn a fail into an error."""
        if self._names is None:
            found = (yield from self._asked(self._client.reverse_pointer, "PTR")) or ()
            self._names = []
            for name in filter(is_name, found[:NAMES_MAX]):
                addresses = (yield from self._asked(name, self._kind)) or ()
                if str(self._client) in map(_canonical, addresses):
                    self._names.append(name.lower().removesuffix("."))
        return self._names

    def _own_name(self, domain: str) -> Steps[str]:
        """The macro p: the domain itself, or one below it, or any (7.3)."""
        names = sorted((yield from self._own_names()), key=lambda one: (one != domain, not one.endswith(f".{domain}")))
        return names[0] if names else "unknown"

    def _found(self, name: str, kind: str) -> Steps[Sequence[str]]:
        """Look up for a mechanism: in vain twice, and no more (4.6.4)."""
        found = yield from self._known(name, kind)
        self._voids += not found
        if self._voids > VOIDS_MAX:
            raise _Ended("permerror")
        return found

    def _known(self, name: str, kind: str) -> Steps[Sequence[str]]:
        found = yield from self._asked(name, kind)
        if found is None:
            raise _Ended("temperror")
        return found

    def _asked(self, name: str, kind: str) -> Steps[Answer]:
        self._questions += 1
        if self._questions > QUESTIONS_MAX or self._records > RECORDS_MAX:
            raise _Ended("permerror")
        found = yield Question(name, kind)
        self._records += len(found or ())
        return found


def _values(client: Client, local: str, domain: str, helo: str) -> Mapping[str, str]:
    """What the macros' letters stand for; p and d depend on where one is."""
    is4 = client.version == 4
    dotted = str(client) if is4 else ".".join(client.exploded.replace(":", ""))
    version = "in-addr" if is4 else "ip6"
    return {"s": f"{local}@{domain}", "l": local, "o": domain, "i": dotted, "h": helo, "v": version}


def _canonical(address: str) -> str:
    return str(ipaddress.ip_address(address))
