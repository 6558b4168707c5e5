"""Mail for the owner.

Law: what goes to the owner is an ordinary letter: nothing in it claims the fabric's trust, and no signature leaves with
it by which she could; it passes here once.
"""

from __future__ import annotations

from mail.envelope import Outgoing, Receipt, Recipient
from mail.headers import add_headers, drop_headers
from reflector.letter import Letter, drop
from reflector.loops import LOOP_FIELD, has_passed


def forward_to_owner(letter: Letter) -> Receipt:
    names, arrival, source = letter.house.names, letter.arrival, letter.source
    door = names.reflector(source.name, "owner")
    if has_passed(letter, door):
        return drop(letter, "own X-Loop")
    # A host's signature vouched for who wrote this, to us. Who got it could add the dropped field again and pass for
    # the writer. A stranger's own signature stays: the owner's client may want to check it.
    vouched = ("dkim-signature",) if arrival.signed_by else ()
    content = add_headers(drop_headers(arrival.content, vouched, prefix="heliograph-"), [(LOOP_FIELD, door)])
    # Whoever a stranger says he is would hear of her full mailbox, with his words: the list does (backscatter).
    sender = arrival.sender if arrival.authenticated else names.reflector_inside(source.name, "bounce")
    return Receipt(outgoing=(Outgoing(sender, (Recipient(names.timeline(source.owner)),), content),))
