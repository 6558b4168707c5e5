"""Mail from elsewhere.example, sealed in every way that is worth trying."""

from __future__ import annotations

import base64
import time
from email.utils import formatdate
from typing import Any

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mail.headers import header_line
from tests.fabric.town import OUTSIDE

KEY, OTHERS = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
CAROL, LIST = f"carol@{OUTSIDE}", "bob+subscribe@reflectors.fabric.test"
COVERED = ("from", "to", "cc", "subject", "date", "message-id")


def record(key: Ed25519PrivateKey = KEY, more: str = "") -> str:
    return f"v=DKIM1; k=ed25519; {more}p={base64.b64encode(key.public_key().public_bytes_raw()).decode()}"


RECORDS = {
    (f"s._domainkey.{OUTSIDE}", "TXT"): [f'"{record()}"'],
    (f"trial._domainkey.{OUTSIDE}", "TXT"): [f'"{record(more="t=y; ")}"'],
    (f"s._domainkey.news.{OUTSIDE}", "TXT"): [f'"{record()}"'],
    ("s._domainkey.evil.example", "TXT"): [f'"{record(OTHERS)}"'],
}


def written(sender: str = CAROL, to: str = LIST, subject: str = "hello", text: str = "", **fields: str) -> bytes:
    """Write a letter."""
    own = {"From": sender, "To": to, "Subject": subject, "Date": formatdate(), "Message-ID": f"<{time.time_ns()}.x@y>"}
    lines = own | {name.replace("_", "-"): value for name, value in fields.items()}
    return b"".join(header_line(*line) for line in lines.items()) + f"\r\n{text or subject}\r\n".encode()


def sealed(
    content: bytes,
    domain: str = OUTSIDE,
    key: Ed25519PrivateKey = KEY,
    selector: str = "s",
    covered: tuple[str, ...] = COVERED,
    **more: Any,
) -> bytes:
    """Seal as a provider would."""
    signature = dkim.sign(
        content,
        selector.encode(),
        domain.encode(),
        base64.b64encode(key.private_bytes_raw()),
        canonicalize=(b"relaxed", b"relaxed"),
        signature_algorithm=b"ed25519-sha256",
        include_headers=[name.encode() for name in covered],
        **more,
    )
    return bytes(signature) + content
