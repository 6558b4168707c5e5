"""How much one upstream may send to its mirror here.

Law: each mirror has an allowance of its own, so that a fabric that floods us holds up nobody but itself. What is over
it is put off at the door: the other side's queue keeps it, not ours. Wishes for a source of ours are counted by whose
domain it is: an owner has as many fabrics below it as he likes, and each would be a follower.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from mail.organization import organization

POSTS = 200  # at once: a feed that was away for a week
POSTS_PER_SECOND = 0.1  # for ever: 8,640 a day
OCTETS = 100_000_000
OCTETS_PER_SECOND = 20_000  # 1.7 GB a day
MIRRORS_REMEMBERED = 20_000  # who is forgotten begins with a full allowance


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left, at this moment."""

    posts: float
    octets: float
    at: float

    def later(self, now: float) -> Allowance:
        seconds = max(now - self.at, 0.0)
        posts = min(self.posts + seconds * POSTS_PER_SECOND, POSTS)
        return Allowance(posts, min(self.octets + seconds * OCTETS_PER_SECOND, OCTETS), now)


def of_posts(domain: str, mirror: str) -> str:
    """Whose allowance an upstream's posts take from."""
    return f"{mirror} {domain}"


def of_wishes(domain: str, source: str) -> str:
    return f"{source} {organization(domain)}"


class Allowances:
    """All mirrors' on this host."""

    def __init__(self) -> None:
        self._left: OrderedDict[str, Allowance] = OrderedDict()

    def take(self, mirror: str, octets: int, now: float) -> bool:
        """Take a post's share; False where there is not enough left."""
        left = self._left.pop(mirror, Allowance(POSTS, OCTETS, now)).later(now)
        enough = left.posts >= 1 and left.octets >= octets
        self._left[mirror] = Allowance(left.posts - 1, left.octets - octets, now) if enough else left
        while len(self._left) > MIRRORS_REMEMBERED:
            self._left.popitem(last=False)
        return enough
