"""The header of a post and of everything else a list sends.

Law: what tells followers apart from strangers, or who read what, does not leave with a post; every field that a trusted
reader believes is written here anew. From stays as the author wrote it.
"""

from __future__ import annotations

from email.utils import formataddr, formatdate

from directory.names import FabricNames
from mail.footer import field_of
from mail.headers import Headers, add_headers, drop_headers
from reflector.sources import Source

LIST_FIELDS = (
    "list-id",
    "list-help",
    "list-subscribe",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "list-post",
    "list-owner",
    "list-archive",
    "list-mirror",
)
# They would show or gather followers.
SHOW_READERS = (
    "bcc",
    "resent-bcc",
    "disposition-notification-to",
    "return-receipt-to",
    "x-confirm-reading-to",
    "x-pmrqc",
)
# The author's DKIM signature was our own fabric's, for the way here; the post is signed anew at its last hop.
NOT_PASSED_ON = (*LIST_FIELDS, "precedence", "return-path", "dkim-signature", *SHOW_READERS)


# The publisher's own way out of a newsletter, which the room that takes it in vouches for; it goes beside ours.
PUBLISHERS_WAY_OUT = "heliograph-list-unsubscribe"


def list_id(names: FabricNames, source: str) -> str:
    """RFC 2919 2: the list's identifier, in angle brackets."""
    return f"<{source}.reflectors.{names.domain}>"


def list_fields(names: FabricNames, source: Source, theirs: str = "") -> list[tuple[str, str]]:
    """RFC 2919 and 2369: who sent it, and how to leave. `theirs`: the publisher's way out, beside ours."""

    def mailto(detail: str) -> str:
        return f"<mailto:{names.reflector(source.name, detail)}>"

    return [
        ("List-Id", formataddr((source.title or source.name, f"{source.name}.reflectors.{names.domain}"))),
        ("List-Help", mailto("help")),
        ("List-Subscribe", mailto("subscribe")),
        ("List-Unsubscribe", ", ".join(filter(None, [mailto("unsubscribe"), theirs]))),
        ("List-Post", "NO (only the owner posts)"),  # RFC 2369 3.4
        ("List-Owner", mailto("owner")),
    ]


def stamp_post(
    names: FabricNames,
    source: Source,
    post: int,
    content: bytes,
    *,
    envid: str,
    now: float,
    hops: int,
    footer: str = "",
) -> bytes:
    """Return the post as every follower gets it; what `footer` says is put under it as it leaves the fabric."""
    clean = drop_headers(content, NOT_PASSED_ON, prefix="heliograph-")
    theirs = Headers.of(content).get(PUBLISHERS_WAY_OUT)
    fields = [
        ("Heliograph-Source", source.name),
        ("Heliograph-Post", str(post)),
        ("Heliograph-Hops", str(hops + 1)),
        *list_fields(names, source, theirs),
        ("Precedence", "list"),
        ("X-Loop", names.reflector(source.name)),
        *_missing(names, Headers.of(clean), source.name, envid, now),
    ]
    return add_headers((field_of(footer) if footer else b"") + clean, fields)


def _missing(names: FabricNames, headers: Headers, source: str, envid: str, now: float) -> list[tuple[str, str]]:
    """RFC 5322 3.6: a post must have a Date and should have a Message-ID; a repeat gets the same."""
    fields = []
    if not headers.has("message-id"):
        fields.append(("Message-ID", f"<{envid[:40]}.{source}@reflectors.{names.domain}>"))
    if not headers.has("date"):
        fields.append(("Date", formatdate(now)))
    return fields
