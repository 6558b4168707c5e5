"""What comes to a mirror: its followers' commands, its upstream's posts and answers, and what came back from there.

Law: only this fabric's own users follow a mirror, signed in; everybody else follows the source itself, so no mirror is
ever mirrored. The upstream is believed under its own domain's seal, about this one source, and under no other's.
"""

from __future__ import annotations

from directory.names import FabricNames, Reflector
from mail.between_fabrics import ANSWERS, FIELD, POST, Word, read_word
from mail.envelope import Arrival, Receipt
from mail.headers import Headers, add_headers, drop_headers, first_addr_spec
from mail.outcome import Delivered, Refused
from reflector.answers import voice
from reflector.commands import command_of, correspondent, drop_automatic, take_command
from reflector.courtesy import reply
from reflector.expansion import counts, expand
from reflector.letter import House, Letter
from reflector.list_headers import SHOW_READERS
from reflector.loops import LOOP_FIELD, passed
from reflector.mirroring import ask, followers_changed, hear, refused, say_again
from reflector.mirrors import ASKING, ENDED, NO, Mirror, find_mirror, founded_today, is_first, wish_token
from reflector.repeats import drop_repeats, taken
from reflector.returned import read_returned, said_of
from reflector.sources import Source, create_source, find_source, take_number
from reflector.tokens import same
from store import Reader, Transaction, events

COMMANDS = ("subscribe", "unsubscribe", "help", "request")
# The upstream's way out of its list is this fabric's own; a reader who has it could end the mirror for everybody.
WAY_OUT = ("list-unsubscribe", "list-unsubscribe-post")
NOT_PASSED_ON = (*WAY_OUT, FIELD.lower(), "dkim-signature", "return-path", *SHOW_READERS)


def knows_mirror(place: Reader | Transaction, key: bytes, name: Reflector) -> bool:
    """Tell whether mail to this name of a mirror can be taken."""
    if name.detail in COMMANDS:
        return True
    mirror = find_mirror(place, name.entity)
    if mirror is None or mirror.state == ENDED:
        return False
    return name.detail in ("", "bounce") or _is_no(key, mirror, name.detail)


def not_its_upstream(names: FabricNames, name: str) -> Refused:
    """Why a mirror takes no post of anybody else's."""
    mirror = _unknown(name)
    where, person = names.reflector(name), mirror.person
    return Refused(f"5.7.1 {where} takes posts of {person} alone, signed by {mirror.fabric}; write to {person}")


def take_mirrored(house: House, tx: Transaction, arrival: Arrival, name: Reflector) -> Receipt:
    """Take one arrival for one name of a mirror."""
    mirror = find_mirror(tx, name.entity) or _unknown(name.entity)
    if arrival.fabric:
        return _hear(house, tx, arrival, mirror) if not name.detail else _drop(tx, arrival, mirror, "not for machines")
    if _is_no(house.key, mirror, name.detail):
        return _returned(house, tx, arrival, mirror)
    if not arrival.authenticated or name.detail not in ("", *COMMANDS):
        return _drop(tx, arrival, mirror, "a stranger's")
    return _command(house, tx, arrival, mirror, name.detail or "subject")


def _command(house: House, tx: Transaction, arrival: Arrival, mirror: Mirror, door: str) -> Receipt:
    source = find_source(tx, mirror.list)
    letter = Letter(house, tx, arrival, source or _source(mirror), door)
    command = command_of(letter)
    if command is None and door == "subject":
        return Receipt(not_its_upstream(house.names, mirror.list))
    word = command.word if command else "help"
    if source is None and word != "help":
        return _without_mirror(letter, mirror, word)
    receipt = take_command(letter)
    if word != "help" and isinstance(receipt.outcome, Delivered):
        followers_changed(house, tx, mirror, arrival.now, left=word == "unsubscribe")
    return receipt


def _without_mirror(letter: Letter, mirror: Mirror, word: str) -> Receipt:
    if unheard := drop_automatic(letter) or drop_repeats(letter):
        return unheard
    if word == "subscribe":
        return _found(letter, mirror)
    who = correspondent(letter)
    return taken(letter, reply(letter, who, voice(letter).not_following(), proven=True) if who else ())


def _found(letter: Letter, mirror: Mirror) -> Receipt:
    """Somebody is the first to follow, or the first again."""
    house, tx, arrival = letter.house, letter.tx, letter.arrival
    if founded_today(tx, arrival.authenticated, arrival.now) >= house.settings.mirrors_per_day:
        return Receipt(Refused("5.7.1 You began to follow too many sources of other fabrics today; go on tomorrow"))
    create_source(tx, mirror.list, _owner(mirror), mirror.person, 0, arrival.now)
    receipt = take_command(Letter(house, tx, arrival, find_source(tx, mirror.list) or letter.source, letter.door))
    founded = Mirror(mirror.list, ASKING, mirror.wish, 0, 0.0, 0.0, 0.0, mirror.top, arrival.authenticated, arrival.now)
    return Receipt(receipt.outcome, (*receipt.outgoing, *ask(house, tx, founded, arrival.now)))


def _hear(house: House, tx: Transaction, arrival: Arrival, mirror: Mirror) -> Receipt:
    """Something that another fabric has sealed."""
    word, headers = read_word(arrival.headers.all(FIELD)), arrival.headers
    sender = first_addr_spec(headers.get("from"))
    if arrival.fabric != mirror.fabric:
        return _drop(tx, arrival, mirror, "not its upstream")
    if word is None or not mirror.wish:
        return _drop(tx, arrival, mirror, "nothing that a mirror is told")
    if word.word in ANSWERS and sender == mirror.upstream("help"):
        return Receipt(outgoing=hear(house, tx, mirror, word, arrival.now))
    if word.word == POST and sender == mirror.upstream() and _is_of(headers, mirror):
        return _post(house, tx, arrival, mirror, word)
    return _drop(tx, arrival, mirror, "not of this source")


def _is_of(headers: Headers, mirror: Mirror) -> bool:
    found = headers.all("list-id")
    return len(found) == 1 and found[0].endswith(f"<{mirror.entity}.reflectors.{mirror.fabric}>")


def _post(house: House, tx: Transaction, arrival: Arrival, mirror: Mirror, word: Word) -> Receipt:
    """Number it as this fabric's own, and send it to all who follow here."""
    source = find_source(tx, mirror.list)
    if source is None or not mirror.wants:
        _drop(tx, arrival, mirror, "nobody follows any more")
        return Receipt(outgoing=say_again(house, tx, mirror, arrival.now))
    if passed(arrival, house.names.reflector(mirror.list)):
        return _drop(tx, arrival, mirror, "own X-Loop")
    if not is_first(tx, mirror, word.number):
        return _drop(tx, arrival, mirror, "repeat")
    post = take_number(tx, mirror.list)
    outgoing = expand(house, tx, mirror.list, post, stamp_mirrored(house.names, source.name, post, arrival.content))
    told = counts(outgoing)
    events.append(tx, arrival.now, "mirrored", source=mirror.list, post=post, upstream_post=word.number, **told)
    return Receipt(Delivered(f"2.0.0 Ok: post {post}"), (outgoing,))


def stamp_mirrored(names: FabricNames, list_: str, post: int, content: bytes) -> bytes:
    """Return a post as the followers here get it: who wrote it and whose list it is stay as they were."""
    fields = [
        ("Heliograph-Source", list_),
        ("Heliograph-Post", str(post)),
        ("Heliograph-Hops", "1"),
        ("List-Unsubscribe", f"<mailto:{names.reflector(list_, 'unsubscribe')}>"),
        (LOOP_FIELD, names.reflector(list_)),
    ]
    return add_headers(drop_headers(content, NOT_PASSED_ON, prefix="heliograph-"), fields)


def _returned(house: House, tx: Transaction, arrival: Arrival, mirror: Mirror) -> Receipt:
    """A wish came back: the upstream has no such source, or does not answer."""
    said = said_of(read_returned(arrival.content), mirror.upstream("subscribe"))
    if mirror.state != ASKING or said.kind not in ("dead", "weak", "policy"):
        return _drop(tx, arrival, mirror, f"came back: {said.kind}")
    reason = f"{mirror.fabric} says: {said.reason or 'there is no such source'}"
    return Receipt(outgoing=refused(house, tx, mirror, reason, arrival.now))


def _is_no(key: bytes, mirror: Mirror, detail: str) -> bool:
    door, _, token = detail.partition(".")
    return door == NO and bool(mirror.wish) and same(token.encode(), wish_token(key, mirror).encode())


def _unknown(name: str) -> Mirror:
    return Mirror(name, ENDED, 0, 0, 0.0)


def _source(mirror: Mirror) -> Source:
    """As it would be, for who asks before there is one."""
    return Source(mirror.list, _owner(mirror), mirror.person, 0, 1, 0, 0, 0)


def _owner(mirror: Mirror) -> str:
    """No entity's name: nobody here owns it."""
    return f"@{mirror.fabric}"


def _drop(tx: Transaction, arrival: Arrival, mirror: Mirror, reason: str) -> Receipt:
    """Take it and do nothing: a refusal would come back as a bounce, to whom the sender may forge."""
    events.append(tx, arrival.now, "mirror-dropped", source=mirror.list, fabric=arrival.fabric, reason=reason)
    return Receipt(Delivered("2.0.0 Ok"))
