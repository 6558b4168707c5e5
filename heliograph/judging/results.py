"""The Authentication-Results field (RFC 8601): read, written, and taken out where somebody else wrote it in our name.

Law: pure. What is written holds only words that were checked; what cannot be read says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from mail.headers import Headers, bare, drop_some, header_line

FIELD = "authentication-results"
LINE_CHARACTERS_MAX = 900
CRLF = "\r\n"

_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*\)")
_ID = re.compile(r'\s*"?([^\s;"]+)"?\s*(?:[0-9]+\s*)?(?:;|\Z)')
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9])?\Z")
_RESULT = re.compile(r"\s*(dkim|dmarc|spf)\s*=\s*([a-z]+)\b(.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Seal:
    """One signature: "pass", "fail", "policy", "temperror", "permerror"."""

    result: str
    domain: str
    selector: str


@dataclass(frozen=True, slots=True)
class Path:
    """The way it came (SPF): one of the results of RFC 7208 2.6. `identity`: whose name that was, "mailfrom" or "helo";
    `domain`: "" where what was named is none."""

    result: str
    identity: str
    domain: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`dmarc`: "pass", "fail", "none" (the domain has no policy), "temperror", or "" where nobody can tell;
    `path`: None where it is not seen from here."""

    seals: tuple[Seal, ...] = ()
    dmarc: str = ""
    from_domain: str = ""
    path: Path | None = None

    @property
    def is_authentic(self) -> bool:
        """The domain in From stands behind this."""
        return self.dmarc == "pass"


def written(verdict: Verdict, authserv: str) -> bytes:
    """Write the field."""
    seals = [f"dkim={one.result} header.d={one.domain} header.s={one.selector}" for one in verdict.seals]
    words = seals or ["dkim=none"]
    if verdict.path:
        words.append(f"spf={verdict.path.result}{_named(verdict.path)}")
    if verdict.dmarc:
        words.append(f"dmarc={verdict.dmarc} header.from={verdict.from_domain}")
    value = "; ".join([authserv, *words])
    if len(value) < LINE_CHARACTERS_MAX:
        return header_line("Authentication-Results", value)
    return f"Authentication-Results: {value.replace('; ', f';{CRLF} ')}{CRLF}".encode()  # long names make it no riddle


def _named(path: Path) -> str:
    return f" smtp.{path.identity}={path.domain}" if _NAME.match(path.domain) else ""


def without(content: bytes, authservs: Collection[str]) -> bytes:
    """Take out what claims to be a verdict of ours (RFC 8601 5); what has no readable name goes too."""
    if not Headers.of(content).has(FIELD):
        return content
    ours = {name.lower() for name in authservs}
    return drop_some(content, FIELD, lambda value: _authserv(value) in ours | {""})


def told(content: bytes, authserv: str) -> Verdict | None:
    """Read what a server of the operator's has found; None where it says nothing."""
    fields = Headers.of(content).all(FIELD)
    mine = [value for value in fields if _authserv(value) == authserv.lower()]
    for value in mine[:1]:  # the topmost is the last that was written
        # What stands in quotes or comments is a stranger's: MAIL FROM:<"; dmarc=pass"@pen.example> is told as it came.
        results = filter(None, map(_RESULT.match, bare(value).split(";")[1:]))
        found = {match[2].lower() for match in results if match[1].lower() == "dmarc"}
        return Verdict((), found.pop() if len(found) == 1 else "")
    return None


def _authserv(value: str) -> str:
    match = _ID.match(_COMMENT.sub(" ", value))
    return match[1].lower() if match else ""
