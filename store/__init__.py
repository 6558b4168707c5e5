"""One host, one database, one writer: durable state for every other package.

Law: `Store.write` returns after the work is on disk, or raises and has changed nothing.
"""

from store.bodies import Bodies
from store.database import Migration, Reader, StandbyBehind, Store, StoreFull, open_reader
from store.transaction import Transaction

__all__ = ["Bodies", "Migration", "Reader", "StandbyBehind", "Store", "StoreFull", "Transaction", "open_reader"]
