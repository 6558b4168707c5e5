"""What fabrics say to each other about a mirror, in one field that the sender's domain signs (DKIM).

Law: pure; whatever a stranger writes, reading neither raises nor takes long. The field proves nothing by itself: it is
looked at in mail that the other domain sealed, and nowhere else.

    List-Mirror: v=1; word=subscribe; number=1800000000123     a mirror's wish; the number only rises
    List-Mirror: v=1; word=following; number=1800000000123     the answer to that wish
    List-Mirror: v=1; word=post; number=17                     the source's own number of this post
"""

from __future__ import annotations

import re
from dataclasses import dataclass

FIELD = "List-Mirror"
NUMBER_MAX = 2**53  # numbers of posts, and moments in milliseconds: more is none of ours
WISHES = ("subscribe", "unsubscribe")
ANSWERS = ("following", "left", "full")
POST = "post"

_FIELD = re.compile(r"v=1; word=([a-z]{1,20}); number=([1-9][0-9]{0,15})\Z")


@dataclass(frozen=True, slots=True)
class Word:
    """`number`: of the wish, in it and in its answer; or of the post."""

    word: str
    number: int

    def __str__(self) -> str:
        return f"v=1; word={self.word}; number={self.number}"


def read_word(values: list[str]) -> Word | None:
    """Read the field's only value; None for several, for none, and for words that this version does not know."""
    match = _FIELD.match(values[0]) if len(values) == 1 else None
    if match is None or match[1] not in (*WISHES, *ANSWERS, POST) or int(match[2]) >= NUMBER_MAX:
        return None
    return Word(match[1], int(match[2]))
