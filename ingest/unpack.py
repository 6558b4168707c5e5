"""Undo a Content-Encoding, and stop in time.

Law: never holds more than `octets_max` unpacked, whatever the packed form promises (3 KB can be 2 GB).
"""

from __future__ import annotations

import sys
import zlib

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ACCEPTED = "gzip, deflate, br, zstd"
WINDOW_LOG_MAX = 23  # RFC 9659 3: 8 MB is all that a sender may ask of our memory
STEP_OCTETS = 65_536


class TooLarge(Exception):
    """More came out than is taken in."""


class BadEncoding(ValueError):
    """It is not what Content-Encoding says, or ends too early."""


def unpacked(content: bytes, encoding: str, octets_max: int) -> bytes:
    """Return the content without its encoding; raise TooLarge or BadEncoding."""
    match encoding.strip().lower():
        case "" | "identity":
            return content
        case "gzip" | "x-gzip":
            return _inflated(content, 16 + zlib.MAX_WBITS, octets_max)
        case "deflate":
            return _deflated(content, octets_max)
        case "br":
            return _brotli(content, octets_max)
        case "zstd":
            return _zstd(content, octets_max)
    raise BadEncoding(f"unknown Content-Encoding {encoding[:40]!r}")  # also "gzip, gzip": nobody honest sends it


def _deflated(content: bytes, octets_max: int) -> bytes:
    """RFC 9110 8.4.1.2: in a zlib wrapper; many servers leave it out."""
    try:
        return _inflated(content, zlib.MAX_WBITS, octets_max)
    except BadEncoding:
        return _inflated(content, -zlib.MAX_WBITS, octets_max)


def _inflated(content: bytes, bits: int, octets_max: int) -> bytes:
    inflate = zlib.decompressobj(bits)
    try:
        out = inflate.decompress(content, octets_max + 1)
    except zlib.error as error:
        raise BadEncoding(str(error)) from None
    if len(out) > octets_max:
        raise TooLarge
    if not inflate.eof:
        raise BadEncoding("it ends too early")
    return out


def _brotli(content: bytes, octets_max: int) -> bytes:
    inflate = brotli.Decompressor()
    out: list[bytes] = []
    size = 0
    waiting = content
    try:
        while not inflate.is_finished():
            out.append(inflate.process(waiting, output_buffer_limit=STEP_OCTETS))
            waiting = b""
            size += len(out[-1])
            if size > octets_max:
                raise TooLarge
            if not out[-1] and not inflate.is_finished():
                raise BadEncoding("it ends too early")
    except brotli.error as error:
        raise BadEncoding(str(error)) from None
    return b"".join(out)


def _zstd(content: bytes, octets_max: int) -> bytes:
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: WINDOW_LOG_MAX}
    inflate = zstd.ZstdDecompressor(options=options)
    try:
        out = inflate.decompress(content, octets_max + 1)
    except zstd.ZstdError as error:
        raise BadEncoding(str(error)) from None
    if len(out) > octets_max:
        raise TooLarge
    if not inflate.eof:
        raise BadEncoding("it ends too early")
    return out
