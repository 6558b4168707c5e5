"""The footer of a source: which words stand under its posts in mailboxes outside.

Law: a post has the words that held when it was numbered, on every way and however late; they travel in its own header
(`mail/footer.py`), so that only the root of a list keeps any. Timelines and other fabrics get posts without them.
"""

from __future__ import annotations

from store import Reader, Transaction


def find_footer(place: Reader | Transaction, source: str) -> str:
    """Return the words; "" for none."""
    sql = "SELECT words FROM footer WHERE source = ? AND source NOT IN (SELECT list FROM away)"
    row = place.one(sql, (source,))
    return str(row[0]) if row else ""


def set_footer(tx: Transaction, source: str, words: str, now: float) -> None:
    """Change it, to words that are clean and have no fault; "": there is none from now on."""
    if words:
        tx.execute("INSERT OR REPLACE INTO footer VALUES (?, ?, ?)", (source, words, now))
    else:
        tx.execute("DELETE FROM footer WHERE source = ?", (source,))
