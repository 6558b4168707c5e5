"""The mail that bench/imap.py fills both servers with: the same for both, and in every run.

Law: 2.5 KB a message, with the headers that mail has after three hops; every fifth has two parts, as newsletters do.
"""

from __future__ import annotations

from email.utils import formatdate

MESSAGE_OCTETS = 2560
SUBJECTS = ("Minutes of Tuesday", "Re: the bridge", "Invoice 2041", "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "[dev] release")
WORDS = b"the harbour was quiet and the lamps along the quay were lit one after the other by an old keeper"
NEEDLE = "lighthouse"  # in the text, and its capital in the subject, of one in 250


def inbox_messages(count: int) -> list[tuple[bytes, bool]]:
    """Messages, and whether each is \\Seen."""
    return [(message("INBOX", number), number % 2 == 0) for number in range(count)]


def folder_messages(name: str, count: int = 20) -> list[tuple[bytes, bool]]:
    return [(message(name, number), number % 3 == 0) for number in range(count)]


def message(folder: str, number: int) -> bytes:
    header = _header(folder, number)
    body = _multipart(number) if number % 5 == 0 else _text(number, MESSAGE_OCTETS - len(header))
    return header + b"\r\n" + body


def _header(folder: str, number: int) -> bytes:
    date = formatdate(1_600_000_000 + number * 60)
    special = f" {NEEDLE.title()}" if number % 250 == 7 else ""
    kind = "multipart/alternative; boundary=cut" if number % 5 == 0 else "text/plain; charset=utf-8"
    hops = "".join(
        f"Received: from mx{hop}.example.org (mx{hop}.example.org [192.0.2.{hop}])\r\n\tby mail{hop}.example.net"
        f" with ESMTPS id {folder}{number:08}\r\n\tfor <alice@fabric.test>; {date}\r\n"
        for hop in range(1, 4)
    )
    return (
        f"Return-Path: <writer{number % 50}@example.org>\r\n{hops}"
        f"From: Writer {number % 50} <writer{number % 50}@example.org>\r\nTo: Alice <alice@fabric.test>\r\n"
        f"Cc: list{number % 7}@example.org\r\nSubject: {SUBJECTS[number % 5]}{special} {number}\r\nDate: {date}\r\n"
        f"Message-ID: <{folder}.{number}@example.org>\r\nReferences: <{folder}.{number // 2}@example.org>\r\n"
        f"In-Reply-To: <{folder}.{number // 2}@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: {kind}\r\n"
        f"List-Id: <list{number % 7}.example.org>\r\nPrecedence: list\r\nX-Mailer: Pen and paper 4.1\r\n"
    ).encode()


def _text(number: int, octets: int) -> bytes:
    lines = []
    size = 0
    while size < octets:
        word = NEEDLE.encode() if number % 250 == 11 and len(lines) == 9 else b"%d" % number
        lines.append(WORDS[: 60 + (number + len(lines)) % 30] + b" " + word)
        size += len(lines[-1]) + 2
    return b"\r\n".join(lines) + b"\r\n"


def _multipart(number: int) -> bytes:
    plain = _text(number, 500)
    html = b"<p>" + _text(number, 400).replace(b"=", b"=3D").replace(b"\r\n", b"<br>\r\n") + b"</p>\r\n"
    return (
        b"--cut\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + plain + b"\r\n--cut\r\n"
        b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        + html
        + b"\r\n--cut--\r\n"
    )
