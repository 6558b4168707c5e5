"""Messages made to be slow, deep or unreadable: each is a function of about how many octets it should have.

Law: nothing here is random, and the same size makes the same message, so that work at one size compares with work at
twice that size.
"""

from __future__ import annotations

from collections.abc import Callable

Nasty = Callable[[int], bytes]


def header(start: bytes, unit: bytes, end: bytes = b"") -> Nasty:
    """A message whose header field repeats something."""
    return lambda octets: start + unit * (octets // len(unit)) + end + b"\r\n\r\nx\r\n"


def body(start: bytes, unit: bytes, end: bytes = b"") -> Nasty:
    """A message whose body repeats something."""
    return lambda octets: start + b"\r\n\r\n" + unit * (octets // len(unit)) + end


def numbered(start: bytes, unit: bytes, end: bytes = b"\r\n\r\nx\r\n", around: bytes = b"") -> Nasty:
    """What is repeated holds its number."""

    def made(octets: int) -> bytes:
        count = octets // (len(unit) + 3)
        return start + around + b"".join([unit % number for number in range(count)]) + end

    return made


TYPE = b"Content-Type: "
MIXED = TYPE + b"multipart/mixed; boundary="
TEXT_PART = b"--x\r\n" + TYPE + b"text/plain; charset=utf-8\r\n\r\nt\r\n"


def inside(unit: Callable[[int], bytes], end: bytes = b"x") -> Nasty:
    """A message in a message, as deep as it goes."""

    def made(octets: int) -> bytes:
        return b"".join([unit(level) for level in range(octets // len(unit(1000)))]) + end

    return made


one_boundary = inside(lambda level: MIXED + b"x\r\n\r\n--x\r\n")  # each level waits for the same


def prefixes(octets: int) -> bytes:
    """Boundaries of which each is the beginning of the next."""
    levels = 60
    rest = b"".join(b"--" + b"b" * level + b"\r\n\r\n" for level in range(1, levels)) * (octets // 2000)
    heads = b"".join(b'%b"%b"\r\n\r\n--%b\r\n' % (MIXED, b"b" * level, b"b" * level) for level in range(1, levels))
    return heads + rest


NASTY: dict[str, Nasty] = {
    "commas": header(b"To: ", b","),
    "quoted-words": header(b"To: ", b'"a" '),
    "open-quote": header(b"To: ", b'"'),
    "open-angles": header(b"From: ", b"<"),
    "open-comments": header(b"From: ", b"("),
    "closed-comments": header(b"From: ", b"()"),
    "nested-comments": lambda octets: b"From: " + b"(" * (octets // 2) + b")" * (octets // 2) + b"\r\n\r\n",
    "spaces": header(b"From: (", b" "),
    "tabs-in-comments": header(b"To: ", b" \t \t(a)"),
    "groups": header(b"Cc: ", b"a:;"),
    "routes": header(b"To: <", b"@a,", b":b@c>"),
    "at-signs": header(b"To: ", b"@"),
    "backslashes": header(b"To: ", b"\\"),
    "encoded-words": header(b"Subject: ", b"=?utf-8?q?=C3?="),
    "open-encoded-words": header(b"Subject: ", b"=?utf-8?q?"),
    "encoded-word-marks": header(b"Subject: ", b"=?"),
    "one-encoded-word": header(b"Subject: =?utf-8?b?", b"w6Q", b"?="),
    "punycode": header(b"Subject: =?punycode?b?", b"eHh4", b"?="),
    "replies": header(b"Subject: ", b"Re: "),
    "blobs": header(b"Subject: ", b"[a]"),
    "open-blobs": header(b"Subject: ", b"["),
    "replies-with-blobs": header(b"Subject: ", b"[a]Re[b]: "),
    "forwards": lambda octets: b"Subject: " + b"[fwd:" * (octets // 6) + b"]" * (octets // 6) + b"\r\n\r\n",
    "trailers": header(b"Subject: ", b"(fwd)", b"x"),
    "trailing-blanks": header(b"Subject: a", b" \t", b"x"),
    "folds": header(b"Subject: a", b"\r\n "),
    "bare-returns": header(b"Subject: a", b"\r"),
    "dates": header(b"Date: ", b"1 Jan "),
    "parameters": numbered(TYPE + b"text/plain", b"; a%d=b"),
    "semicolons": header(TYPE + b'a/b; a="', b";"),
    "bare-semicolons": header(TYPE + b"a/b", b";"),
    "continuations": numbered(TYPE + b"text/plain", b"; name*%d=x"),
    "extended-continuations": numbered(TYPE + b"text/plain", b"; name*%d*=%%e2"),
    "same-continuation": header(TYPE + b"text/plain", b"; name*0=x"),
    "continuations-in-disposition": numbered(b"Content-Disposition: attachment", b";\r\n filename*%d*=%%41"),
    "type-comments": header(TYPE + b"text/plain ", b"((a)b)"),
    "languages": header(b"Content-Language: ", b"en, "),
    "location": header(b"Content-Location: ", b"a \r\n "),
    "fields": header(b"A: b", b"\r\nA: b"),
    "recipients": header(b"To: a@b", b"\r\nTo: a@b"),
    "no-colons": lambda octets: b"nothing here\r\n" * (octets // 14) + b"\r\nx",
    "colons": lambda octets: b":" * octets + b"\r\n\r\nx",
    "long-name": lambda octets: b"A" * octets + b": b\r\n\r\nx",
    "spaces-before-colon": lambda octets: (b"Subject" + b" " * 50 + b"\r\n") * (octets // 59) + b"\r\nx",
    "nuls": lambda octets: b"Subject: " + b"\0" * octets + b"\r\n\r\n" + b"\0" * octets,
    "eight-bit": lambda octets: b"Subject: " + b"\xe4" * octets + b"\r\n\r\n" + b"\xff" * octets,
    "no-header-end": lambda octets: b"Subject: a\r\n" * (octets // 12),
    "empty-lines": lambda octets: b"\r\n" * (octets // 2),
    "line-feeds": lambda octets: b"\n" * octets,
    "parts": body(MIXED + b"x", TEXT_PART, b"--x--\r\n"),
    "empty-parts": body(MIXED + b"x", b"--x\r\n"),
    "closed-parts": body(MIXED + b"x", b"--x--\r\n"),
    "digest": body(TYPE + b"multipart/digest; boundary=x", b"--x\r\n\r\nSubject: a\r\n\r\nb\r\n"),
    "near-misses": body(MIXED + b"x", b"--xy\r\n"),
    "dashes": body(MIXED + b"-", b"-"),
    "dash-lines": body(MIXED + b"x", b"--\r\n"),
    "padding": body(MIXED + b"x", b"--x" + b" " * 100 + b"y\r\n"),
    "no-boundary": body(TYPE + b"multipart/mixed", b"--x\r\n"),
    "empty-boundary": body(MIXED + b'""', b"--\r\n"),
    "long-boundary": body(MIXED + b'"' + b"b" * 10_000 + b'"', b"--" + b"b" * 10_000 + b"\r\n"),
    "boundary-prefixes": prefixes,
    "multiparts": inside(lambda level: b'%b"%d"\r\n\r\n--%d\r\n' % (MIXED, level, level)),
    "vain-boundaries": lambda octets: (
        MIXED + b"x\r\n\r\n" + b"".join(b"--x\r\n%by%d\r\n\r\nt\r\n" % (MIXED, n) for n in range(octets // 52))
    ),
    "messages": inside(lambda level: TYPE + b"message/rfc822\r\n\r\n"),
    "messages-and-multiparts": inside(
        lambda level: b'%bmessage/rfc822\r\n\r\n%b"%d"\r\n\r\n--%d\r\n' % (TYPE, MIXED, level, level)
    ),
    "base64": body(TYPE + b"text/plain\r\nContent-Transfer-Encoding: base64", b"w6Q=\r\n"),
    "bad-base64": body(TYPE + b"text/plain\r\nContent-Transfer-Encoding: base64", b"=*=A\r\n"),
    "quoted-printable": body(TYPE + b"text/plain\r\nContent-Transfer-Encoding: quoted-printable", b"=C3=A4=\r\n"),
    "bad-quoted-printable": body(TYPE + b"text/plain\r\nContent-Transfer-Encoding: quoted-printable", b"=G=\t=="),
    "blanks-in-quoted-printable": body(TYPE + b"text/plain\r\nContent-Transfer-Encoding: quoted-printable", b" "),
    "capitals": body(TYPE + b"text/plain; charset=utf-8", "ẞİΐ".encode()),
    **{
        f"charset-{name}": body(TYPE + b"text/plain; charset=" + name.encode(), b"\x1b$\x81\xff\xfe\xd8")
        for name in ("utf-8", "utf-16", "utf-7", "iso-2022-jp", "gb18030", "big5", "cp874", "hz", "idna", "punycode")
    },
}
