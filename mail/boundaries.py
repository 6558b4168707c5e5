"""The lines between the parts of a multipart (RFC 2046 5.1.1).

Law: pure, in one pass, and it never raises. A boundary is a line of its own: the same letters within a line, or before
more of them, are somebody's words. The line end before it is the boundary's, not the part's.
"""

from __future__ import annotations

import re

# The RFC's are of 70 characters at most; some clients' are longer.
_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.){1,200})"|([^\s;"]{1,100}))', re.IGNORECASE)
_QUOTED_PAIR = re.compile(r"\\(.)")


def boundary_of(content_type: str) -> str:
    """Return what a Content-Type gives as boundary; "" for none, or one that no line can be told by."""
    found = _BOUNDARY.search(content_type)
    boundary = (_QUOTED_PAIR.sub(r"\1", found[1]) if found[1] else found[2]).rstrip() if found else ""
    return boundary if boundary.isascii() else ""


def boundary_line(boundary: str) -> re.Pattern[bytes]:
    """Return what finds the lines; group 1 is there in those that end the multipart."""
    line = re.escape(b"--" + boundary.encode())
    # A line's begin is looked for behind the letters: a search that begins with them is ten times as fast.
    return re.compile(line + rb"(?<![^\n]" + line + rb")(--)?[ \t]*(?:\r\n|\Z)")


def pieces(text: bytes, boundary: str, most: int) -> list[bytes]:
    """Return the first so many parts of a multipart's text, the last one also if nothing ends it."""
    found: list[bytes] = []
    begin = -1
    for line in boundary_line(boundary).finditer(text):
        if begin >= 0:
            found.append(text[begin : line.start()].removesuffix(b"\r\n"))
        if line[1] or len(found) == most:
            return found
        begin = line.end()
    return [*found, text[begin:]] if begin >= 0 else found
