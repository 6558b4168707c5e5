"""The certificates that mail clients and other hosts see, and how they are changed without a restart.

Law: a certificate that cannot be read leaves the last good one in use.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from heliograph.configuration.settings import TlsPaths
from heliograph.streams import stream_context


class ClientTls:
    """One context for SMTP, submission and IMAP; `reload` gives new connections the files as they are now."""

    def __init__(self, paths: TlsPaths) -> None:
        self._paths = paths
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996
        self.reload()

    def reload(self) -> None:
        """Read certificate and key again; raise OSError (ssl.SSLError is one) and change nothing if they are bad."""
        _look(self._paths.certificate, self._paths.key)
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(self._paths.certificate, self._paths.key)
        self.context.load_cert_chain(self._paths.certificate, self._paths.key)


def between_hosts(paths: TlsPaths) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of a stream's two sides: (server, client)."""
    files = paths.stream_certificate, paths.stream_key, paths.ca
    _look(*files)
    return stream_context(ssl.Purpose.CLIENT_AUTH, *files), stream_context(ssl.Purpose.SERVER_AUTH, *files)


def reload_between(paths: TlsPaths, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """Have new streams show the certificate as it is now; raise OSError and change nothing if it is bad."""
    _look(paths.stream_certificate, paths.stream_key)
    ssl.create_default_context().load_cert_chain(paths.stream_certificate, paths.stream_key)
    for context in contexts:
        context.load_cert_chain(paths.stream_certificate, paths.stream_key)


def _look(*files: Path) -> None:
    """Raise the OSError that names the file: the one of the ssl module does not say which is missing."""
    for file in files:
        file.open("rb").close()
