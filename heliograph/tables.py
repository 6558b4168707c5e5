"""All tables of a host's database, in the order in which they are made.

Law: each package owns its own; this is only the list.
"""

from heliograph.ownership.epochs import MIGRATIONS as EPOCHS
from heliograph.ownership.tables import MIGRATIONS as HELIOGRAPH
from ingest.tables import MIGRATIONS as INGEST
from mailbox_host.tables import MIGRATIONS as MAILBOX_HOST
from reflector.tables import MIGRATIONS as REFLECTOR
from spool.tables import MIGRATIONS as SPOOL
from store.bodies import MIGRATION as STORE
from store.identity import MIGRATION as IDENTITY

MIGRATIONS = (STORE, IDENTITY, *SPOOL, *REFLECTOR, *MAILBOX_HOST, *INGEST, *HELIOGRAPH, *EPOCHS)
