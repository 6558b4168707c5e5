"""What an owner writes to ``bob+footer@``: the words of the footer, or that there is to be none; anything else asks.

Law: only the owner, signed in, is heard. The mail's own text is the footer, without the signature that a client puts
under it; the answer shows how it stands, so that nobody has to guess what was taken for what.
"""

from __future__ import annotations

from mail import words
from mail.envelope import Receipt
from mail.footer import DELIMITER, clean, fault_of
from reflector.answers import voice
from reflector.command_words import subject_of
from reflector.commands import carry_out, drop_automatic
from reflector.courtesy import reply
from reflector.footers import find_footer, set_footer
from reflector.letter import Letter, Step, walk
from reflector.repeats import drop_repeats, taken
from reflector.subscriptions import Subscriber

DOOR = "footer"
NONE, SHOW = "none", "show"


def obey_owner(letter: Letter) -> Receipt | None:
    if not letter.by_owner:
        return None
    note = _do(letter, subject_of(letter.arrival).strip().lower(), written(letter.arrival.content))
    owner = letter.source.owner
    herself = Subscriber(letter.house.names.person(owner), owner)
    answer = voice(letter).footer(note, find_footer(letter.tx, letter.source.name))
    return taken(letter, reply(letter, herself, answer, proven=True))


def written(content: bytes) -> str:
    """Return a mail's own text up to a client's signature; a delimiter that it begins with is the footer's."""
    lines = clean(words.text_of(content)).split("\n")
    lines = lines[1:] if lines[0] == DELIMITER.rstrip() else lines
    end = lines.index(DELIMITER.rstrip()) if DELIMITER.rstrip() in lines else len(lines)
    return clean("\n".join(lines[:end]))


def _do(letter: Letter, subject: str, text: str) -> str:
    """Carry it out; return what came of it, "" where nothing was to be done."""
    known = find_footer(letter.tx, letter.source.name)
    if NONE in (subject, text.lower()):
        set_footer(letter.tx, letter.source.name, "", letter.arrival.now)
        letter.tell("footer-taken-away")
        return "The footer is taken away." if known else "There was none to take away."
    if not text or subject == SHOW:
        return ""
    fault = fault_of(text)
    if fault:
        return f"Your mail's text is not taken as the footer: {fault}."
    set_footer(letter.tx, letter.source.name, text, letter.arrival.now)
    letter.tell("footer-set", octets=len(text.encode()))
    return "The footer was changed, for all posts from now on."


FOOTER_STEPS: tuple[Step, ...] = (drop_automatic, drop_repeats, obey_owner, carry_out)


def take_footer(letter: Letter) -> Receipt:
    return walk(FOOTER_STEPS, letter)
