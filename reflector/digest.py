"""What an owner is told of her followers' mailboxes: at most once a day, and only when there is something to tell.

Law: a step of the lists' own work, short whatever their number. Who leaves by herself is no news.
"""

from __future__ import annotations

from email.utils import formataddr, formatdate

from mail.envelope import Outgoing, Recipient
from mail.headers import header_line
from reflector.letter import House
from reflector.scoring import Standing, is_over
from reflector.settings import DAY_SECONDS
from reflector.sources import Source, find_source
from reflector.tables import HERE
from reflector.tree_mail import Mails
from store import Transaction

LISTS_AT_ONCE = 4  # in one step
NEWS_MAX = 500  # lines of one digest; the rest is counted
ROWS_AT_ONCE = 1_000  # failing subscribers looked at in one step

WORDS = {
    "removed": "no longer follow: their mailboxes are gone, and a question to them came back",
    "complained": "no longer follow: their provider says that they complained of a post",
}


def note_news(tx: Transaction, list_: str, what: str, address: str, reason: str, now: float) -> None:
    values = (list_, what, address, reason, now)
    tx.execute("INSERT INTO news (list, what, address, reason, at) VALUES (?, ?, ?, ?, ?)", values)


def schedule(tx: Transaction, list_: str, due: float) -> None:
    """See to it that a list is looked at; an earlier time stands."""
    tx.execute("INSERT OR IGNORE INTO digest VALUES (?, ?)", (list_, due))


def send_digests(house: House, tx: Transaction, now: float) -> Mails:
    """Do one step of what is due."""
    mails: Mails = ()
    due = f"SELECT list FROM digest WHERE due <= ? AND {HERE} ORDER BY due LIMIT ?"
    for (list_,) in tx.all(due, (now, LISTS_AT_ONCE)):
        tx.execute("DELETE FROM digest WHERE list = ?", (list_,))
        if _forget_over(tx, list_, int(now // DAY_SECONDS)):
            schedule(tx, list_, now + DAY_SECONDS)
        source = find_source(tx, list_)
        news = tx.all("SELECT what, address, reason FROM news WHERE list = ? ORDER BY what, id", (list_,))
        tx.execute("DELETE FROM news WHERE list = ?", (list_,))
        if news and source:
            mails += (_digest(house, source, news, now),)
    return mails


def _forget_over(tx: Transaction, list_: str, day: int) -> bool:
    """Drop standings that are over, the oldest first; tell whether any are left."""
    rows = tx.all(
        "SELECT address, score, today, day, probe, probed, reason FROM bouncing WHERE list = ? ORDER BY day LIMIT ?",
        (list_, ROWS_AT_ONCE),
    )
    over = [(list_, row[0]) for row in rows if is_over(Standing(*row[1:]), day)]
    tx.executemany("DELETE FROM bouncing WHERE list = ? AND address = ?", over)
    return len(over) < len(rows) or len(rows) == ROWS_AT_ONCE


def _digest(house: House, source: Source, news: list[tuple[str, str, str]], now: float) -> Outgoing:
    names = house.names
    fields = [
        ("From", formataddr((source.title or source.name, names.reflector(source.name, "help")))),
        ("To", names.person(source.owner)),
        ("Subject", f"Followers of {source.name}: {len(news)} gone"),
        ("Date", formatdate(now)),
        ("Message-ID", f"<{source.list}.{now:.6f}.digest@reflectors.{names.domain}>"),
        ("Auto-Submitted", "auto-generated"),
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Transfer-Encoding", "8bit"),
    ]
    head = b"".join(header_line(name, value) for name, value in fields)
    content = head + b"\r\n" + _text(news).replace("\n", "\r\n").encode()
    return Outgoing("", (Recipient(names.timeline(source.owner)),), content)


def _text(news: list[tuple[str, str, str]]) -> str:
    lines: list[str] = []
    for what in dict.fromkeys(row[0] for row in news):
        rows = [row for row in news if row[0] == what]
        lines += [f"These {WORDS.get(what, what)}.", ""]
        lines += [
            f"  {address}\n      {reason}" if reason else f"  {address}" for _, address, reason in rows[:NEWS_MAX]
        ]
        lines += [f"  and {len(rows) - NEWS_MAX} more"] if len(rows) > NEWS_MAX else []
        lines.append("")
    return "\n".join([*lines, "They can follow again as anybody can.", ""])
