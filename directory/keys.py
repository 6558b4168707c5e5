"""TSIG keys in a file, in BIND's form: what ``tsig-keygen`` prints and operators have.

Law: a file that others can read is refused. No message shows a secret.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from directory import wire
from directory.tsig import ALGORITHMS, Key

SECRET_OCTETS = 32  # as long as SHA-256's output, RFC 8945 6
FILE_OCTETS_MAX = 1 << 20  # thousands of keys
DEFAULT_ALGORITHM = "hmac-sha256"

_TOKEN = re.compile(r'\s+|//.*|\#.*|/\*(?s:.*?)\*/|"([^"\n]*)"|([{};])|([^\s{};"]+)')
_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?\Z")
_ALGORITHMS = {wire.text_of(name): name for name in ALGORITHMS}
_CLAUSE = 'key "name" { algorithm hmac-sha256; secret "..."; };'


class BadKeys(ValueError):
    """The file cannot be used; the message names it, the line and what to do."""


def load(path: Path) -> Mapping[bytes, Key]:
    """Read the keys by their wire names; BadKeys, or OSError."""
    if path.stat().st_mode & 0o077:
        raise BadKeys(f"{path}: others can read its secrets: chmod 600 {path}")
    content = path.read_bytes()
    if len(content) > FILE_OCTETS_MAX:
        raise BadKeys(f"{path}: over {FILE_OCTETS_MAX} octets: this holds no keys")
    try:
        return read_keys(content.decode("ascii"))
    except UnicodeDecodeError:
        raise BadKeys(f"{path}: is not ASCII: write the keys with tsig-keygen") from None
    except BadKeys as bad:
        raise BadKeys(f"{path}:{bad}") from None


def read_keys(text: str) -> Mapping[bytes, Key]:
    """Read ``key "name" { algorithm hmac-sha256; secret "..."; };``, any number of them."""
    keys: dict[bytes, Key] = {}
    tokens = _tokens(text)
    for line, token in tokens:
        if token == ";":
            continue
        if token != "key":
            raise BadKeys(f"{line}: {token[:40]!a} is no key: write {_CLAUSE}")
        key = _key(line, tokens)
        if key.name in keys:
            raise BadKeys(f"{line}: a second key {wire.text_of(key.name)}: take one out")
        keys[key.name] = key
    return keys


def key_text(name: str, secret: bytes, algorithm: str = DEFAULT_ALGORITHM) -> str:
    """Write one key, as tsig-keygen does."""
    return f'key "{name}" {{\n\talgorithm {algorithm};\n\tsecret "{base64.b64encode(secret).decode()}";\n}};\n'


def is_key_name(name: str) -> bool:
    return bool(_NAME.match(name)) and len(name) < wire.NAME_OCTETS_MAX


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    at, line = 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise BadKeys(f"{line}: a quotation mark without its other")
        if token := match[1] or match[2] or match[3]:
            yield line, token
        line += match[0].count("\n")
        at = match.end()


def _key(line: int, tokens: Iterator[tuple[int, str]]) -> Key:
    name = _next(tokens, line)
    if not is_key_name(name) or _next(tokens, line) != "{":
        raise BadKeys(f"{line}: write {_CLAUSE}")
    values = dict(_statements(line, tokens))
    algorithm = _ALGORITHMS.get(values.get("algorithm", "").lower())
    if algorithm is None:
        known = ", ".join(sorted(_ALGORITHMS))
        raise BadKeys(f"{line}: the algorithm of key {name} is none of {known}: make another with tsig-keygen")
    try:
        secret = base64.b64decode(values.get("secret", ""), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not secret:
        raise BadKeys(f"{line}: the secret of key {name} is no base64: make another with tsig-keygen")
    return Key(wire.name_of(name), algorithm, secret)


def _statements(line: int, tokens: Iterator[tuple[int, str]]) -> Iterator[tuple[str, str]]:
    """``word value;`` until the closing brace."""
    while (word := _next(tokens, line)) != "}":
        value = _next(tokens, line)
        if word not in ("algorithm", "secret") or _next(tokens, line) != ";":
            raise BadKeys(f"{line}: write {_CLAUSE}")
        yield word, value


def _next(tokens: Iterator[tuple[int, str]], line: int) -> str:
    found = next(tokens, None)
    if found is None:
        raise BadKeys(f"{line}: a key that is not closed: write {_CLAUSE}")
    return found[1]
