"""The doors' ports (``[ports]``).

Law: each door has a port of its own on every host, or none where another server has it.
"""

from __future__ import annotations

from dataclasses import fields

from heliograph.configuration.settings import Ports
from heliograph.toml_table import Table

# Doors that another server may open in our place, like Postfix or Dovecot: port 0 leaves them closed.
CLOSABLE = frozenset({"smtp", "submission", "submissions", "lmtp", "imap", "imaps"})


def read_ports(table: Table, hosts: int) -> Ports:
    least = {f.name: 0 if f.name in CLOSABLE else 1 for f in fields(Ports)}
    values = {name: table.number(name, least[name], 65_535, getattr(Ports(), name)) for name in least}
    table.done()
    if not values["smtp"] and hosts > 1:
        raise table.error(
            "smtp", "is 0", "the hosts bring each other mail there: choose a port that is free, like 2525"
        )
    for name, port in values.items():
        rival = next((other for other, same in values.items() if port and same == port and other != name), "")
        if rival:
            raise table.error(name, f"is {port}, and so is {rival}", "give each a port of its own")
    return Ports(**values)
