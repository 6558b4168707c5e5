"""A house of mailboxes for tests: one database in memory, and eyes for what must hold in it at any time."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from mailbox_host import accounts, entries, folders, quota, timeline
from mailbox_host.tables import MIGRATIONS
from store import Bodies, Migration, Transaction
from store.bodies import MIGRATION as BODIES

NOW = 1_700_000_000.0


def letter(subject: str, text: str = "text") -> bytes:
    return f"From: Bob <bob@fabric.test>\r\nSubject: {subject}\r\n\r\n{text}\r\n".encode()


class House:
    def __init__(self, tables: Sequence[Migration] = MIGRATIONS) -> None:
        connection = sqlite3.connect(":memory:", isolation_level=None)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executescript(BODIES.sql)
        for step in tables:
            connection.executescript(step.sql)
        connection.execute("BEGIN")
        self.tx = Transaction(connection)

    def move_in(self, *names: str) -> None:
        for name in names:
            accounts.add(self.tx, name, None, NOW)

    def folder(self, account: str, name: str = "INBOX") -> int:
        found = folders.find_folder(self.tx, account, name)
        assert found is not None, name
        return found.id

    def log(self, source: str, number: int, arrival: float = NOW) -> bool:
        """A post arrives at this host for everybody."""
        content = letter(f"{source} {number}")
        body = Bodies.keep(self.tx, content)
        logged = timeline.log_post(self.tx, timeline.Post(source, number, body, len(content), arrival))
        Bodies.release(self.tx, body)
        return logged

    def hand(self, account: str, source: str, number: int, arrival: float = NOW) -> bool:
        """A post arrives for one account."""
        content = letter(f"{source} {number}")
        body = Bodies.keep(self.tx, content)
        post = timeline.Post(source, number, body, len(content), arrival)
        timeline.log_post(self.tx, post)
        made = timeline.deliver_post(self.tx, account, post)
        Bodies.release(self.tx, body)
        return made

    def append(self, account: str, *subjects: str, folder: str = "INBOX") -> list[int]:
        place = self.folder(account, folder)
        return [
            entries.append(self.tx, account, place, letter(subject), 0, frozenset(), NOW).uid for subject in subjects
        ]

    def subjects(self, account: str, folder: str = "INBOX") -> list[str]:
        """What a client would see, in order of UID."""
        return [self._subject(entry.body) for entry in entries.entries(self.tx, self.folder(account, folder))]

    def look(self, account: str) -> int:
        """Catch up, as often as it takes; where nothing was said to be due, nothing must come."""
        made = 0
        while timeline.behind(self.tx, account):
            made += timeline.catch_up(self.tx, account)
        assert timeline.catch_up(self.tx, account) == 0
        return made

    def check(self) -> None:
        """Every reference is counted, every post is held once, every UID lies below UIDNEXT."""
        rows = self.tx.all(
            """
            SELECT id, refs, (SELECT count(*) FROM entry WHERE body = b.id)
                + (SELECT count(*) FROM post_log WHERE body = b.id) FROM body b
            """
        )
        assert all(refs == held > 0 for _, refs, held in rows), rows
        held = {row[0] for row in self.tx.all("SELECT body FROM entry UNION SELECT body FROM post_log")}
        assert held == {row[0] for row in rows} == {row[0] for row in self.tx.all("SELECT id FROM body_content")}
        assert not self.tx.all(
            "SELECT 1 FROM entry e JOIN had_post h ON (e.account, e.source, e.post) = (h.account, h.source, h.post)"
        )
        assert not self.tx.all("SELECT 1 FROM entry e JOIN folder f ON f.id = e.folder WHERE e.uid >= f.uidnext")
        assert not self.tx.all("SELECT 1 FROM entry e JOIN folder f ON f.id = e.folder WHERE e.modseq > f.modseq")
        assert not self.tx.all("SELECT 1 FROM entry e JOIN folder f ON f.id = e.folder WHERE e.account <> f.account")
        assert quota.miscounted(self.tx, "", 1000)[0] == []

    def _subject(self, body: int) -> str:
        header = Bodies.read_header(self.tx, body).decode()
        return header.split("Subject: ")[1].split("\r\n")[0]
