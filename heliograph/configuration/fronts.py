"""The servers of the operator that stand in front (``fronts`` and ``front_name`` in ``[smtp]``).

Law: a front is known by its address, as it is a machine of the operator's, and believed in two things only: who the
client was (XFORWARD), and what it wrote in Authentication-Results.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from heliograph.toml_table import Table


def read_front(table: Table) -> dict[str, Any]:
    """Read both."""
    fronts, name = table.take("fronts", list, []), table.take("front_name", str, "")
    try:
        addresses = frozenset(str(ipaddress.ip_address(text)) for text in fronts)
    except ValueError as wrong:
        raise table.error("fronts", str(wrong), 'write addresses like ["192.0.2.1"]') from None
    if name and not addresses:
        raise table.error("front_name", "stands alone", "name the addresses of these servers in fronts")
    return {"fronts": addresses, "front_name": name}
