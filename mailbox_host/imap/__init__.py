"""The IMAP server: syntax, session, and the edge that runs them.

Law: parser and session are free of I/O; what they want of the store they ask for as values (`effects`), and only
`connection`, `channel`, `proxy` and `server` touch a socket.
"""

from mailbox_host.imap.proxy import Local, OpenStream, Remote, verify_remotely
from mailbox_host.imap.server import ImapServer
from mailbox_host.imap.settings import Settings
from mailbox_host.imap.throttle import Throttle

__all__ = ["ImapServer", "Local", "OpenStream", "Remote", "Settings", "Throttle", "verify_remotely"]
