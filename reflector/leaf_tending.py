"""When the followers of one host get a leaf, and when it is taken back.

Law: a leaf from `leaf_threshold` followers on, none below a quarter of that; the leaf is asked how many it has before
it is asked for them. This very host's followers need none.
"""

from __future__ import annotations

from mail.tree_control import Audit
from reflector.folding import ask_back
from reflector.growth import HYSTERESIS
from reflector.handing_over import begin, send_part
from reflector.letter import House
from reflector.nodes import FLAT, UP, Branch, Node, branches, look_at
from reflector.sources import Source
from reflector.subscriptions import FABRIC
from reflector.tables import OPEN
from reflector.tree import LEAF, WHOLE, is_root
from reflector.tree_mail import Mails, branch_address, write
from store import Transaction


def tend_leaves(house: House, tx: Transaction, source: Source, node: Node, now: float) -> Mails:
    """Begin with the first leaf that is to come or to go. A list that is to be flat has none."""
    if not is_root(source.list):
        return ()
    leaves = branches(tx, source.list, LEAF)
    for leaf in leaves:
        if node.policy == FLAT:
            return ask_back(house, begin(house, tx, source, LEAF, leaf.name, WHOLE, now, UP), now)
        if leaf.total * HYSTERESIS < house.settings.leaf_threshold:
            return _ask_how_many(house, tx, source, leaf, now)
    if node.policy == FLAT:
        return ()
    served = {leaf.name for leaf in leaves} | {house.host}
    for host, count in sorted(_rows_by_host(house, tx, source).items()):
        if count >= house.settings.leaf_threshold and host not in served:
            return send_part(house, tx, source, begin(house, tx, source, LEAF, host, WHOLE, now), now)
    return ()


def _ask_how_many(house: House, tx: Transaction, source: Source, leaf: Branch, now: float) -> Mails:
    """Its answer has this list looked at again; one that is fresh and says the same is enough."""
    told = tx.one("SELECT at, total FROM report WHERE source = ? AND name = ?", (source.name, leaf.name))
    if told and told[0] > now - house.settings.report_seconds and told[1] == leaf.total:
        return ask_back(house, begin(house, tx, source, LEAF, leaf.name, WHOLE, now, UP), now)
    look_at(tx, source.list, now + house.settings.answer_seconds)
    to = branch_address(house, source.list, LEAF, leaf.name)
    return write(house, [to], Audit(source.name, host=leaf.name), now)


def _rows_by_host(house: House, tx: Transaction, source: Source) -> dict[str, int]:
    """Count the followers in the fabric by the host that they live on, where there are enough for a leaf at all."""
    if source.subscribers < house.settings.leaf_threshold:
        return {}
    rows = tx.all(
        f"SELECT address FROM subscriber WHERE source = ? AND kind = '{FABRIC}' AND until_post = {OPEN}", (source.list,)
    )
    counts: dict[str, int] = {}
    for (address,) in rows:
        if host := house.home(address.partition("@")[0]):  # "": it is on its way here, nobody knows from where
            counts[host] = counts.get(host, 0) + 1
    return counts
