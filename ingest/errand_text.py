"""The words of the answer to a mail of errands.

Law: one answer, with a line for each line of hers; what is quoted is cut and plain.
"""

from __future__ import annotations

from directory.names import FabricNames
from ingest.answers import help_text
from ingest.carry_out import Asker, told
from ingest.errands import Errands, Help
from ingest.header_text import line_of
from ingest.wish import LINES_MAX, URLS_MAX

CUT = f"Only the first {LINES_MAX} lines of a mail are read.\n"
LISTED = "is looked at; you hear of it only if it cannot be followed"
LEFT_OUT = "{count} more addresses stood in your mail than are read in one. Write them again.\n"


def answer_words(names: FabricNames, who: Asker, errands: Errands) -> tuple[str, str]:
    """Return (subject, text)."""
    helped = any(isinstance(errand, Help) for _, errand in errands.words)
    if errands.nothing or (helped and len(errands.words) == 1 and not errands.wishes.good):
        return "How to follow a feed", help_text(names, URLS_MAX)
    return _subject(errands), "\n".join([*_lines(names, who, errands), *_end(names, errands, helped)])


def _subject(errands: Errands) -> str:
    failed = len(errands.bad) + len(errands.wishes.bad)
    if not failed and not errands.wishes.left_out:
        return "What you asked for"
    return "Not everything can be followed" if errands.wishes.bad else "Not everything was understood"


def _lines(names: FabricNames, who: Asker, errands: Errands) -> list[str]:
    lines: list[str] = []
    for line, errand in errands.words:
        lines += [line_of(line, 200), f"    {told(names, who, errand)}", ""]
    later = (
        "is looked at; you hear of it by a mail of its own" if who.entity else "you are asked first, once it was read"
    )
    for wish in errands.wishes.good:
        lines += [line_of(wish.url, 400), f"    {LISTED if wish.listed else later}", ""]
    for line, reason in (*errands.wishes.bad, *errands.bad):
        lines += [line_of(line, 400), f"    cannot be done: {reason}", ""]
    return lines


def _end(names: FabricNames, errands: Errands, helped: bool) -> list[str]:
    end = [LEFT_OUT.format(count=errands.wishes.left_out)] if errands.wishes.left_out else []
    end += [CUT] if errands.cut else []
    return [*end, help_text(names, URLS_MAX)] if helped else end
