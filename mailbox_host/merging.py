"""What a host that was lost gives back of an account, put into the account as it is here by now.

Law: everything once: a message that it took and that is not here is filed at a new UID; what is here already, by its
post's number, its dedup key or an earlier try of the same gift, is not. What was done to a message at one host counts;
where both did something, what was done here stands, and no message goes for the other's word alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mailbox_host.carrying import Layout
from mailbox_host.entry import DELETED
from mailbox_host.flags import KEYWORDS_MAX, keywords_text
from mailbox_host.folder_names import FolderError
from mailbox_host.folders import create_folder
from mailbox_host.gaps import gap_of
from mailbox_host.outward import is_outward, owe_all
from mailbox_host.post_log import Post, log_post
from mailbox_host.quota import count
from mailbox_host.refiling import expunge, insert, move
from mailbox_host.skipping import MODSEQS_SKIPPED
from store import Bodies, Transaction

Gone = set[tuple[int, int]]  # (UIDVALIDITY, UID): expunged at the lost host after its replica's last word


class Merge:
    """One account's extras from one host, as its parts come. `gone` is filled by the changes, used up by moves, and
    carried out at the end."""

    def __init__(self, layout: Layout, host: str) -> None:
        self._layout, self._host = layout, host
        self._gone: dict[str, Gone] = {}

    def put(self, tx: Transaction, part: dict[str, Any], now: float) -> None:
        name = part["name"]
        row = tx.one("SELECT id FROM account WHERE name = ? AND NOT away", (name,))
        gap = gap_of(tx, name, self._host)
        if row is None or not gap:  # it was removed here, or moved on, meanwhile
            return
        gone = self._gone.setdefault(name, set())
        match part["part"]:
            case "short":
                gone.clear()
                self._short(tx, row[0], part)
            case "changed":
                base = next((one for one in gap["folders"] if one[0] == part["folder"]), None)
                if base:
                    self._changed(tx, row[0], part, base, gone)
            case "extra":
                self._extra(tx, row[0], part, gone, now)
            case "end":
                for validity, uid in sorted(gone):
                    if folder := _folder_by(tx, row[0], validity):
                        expunge(tx, folder, [uid])
                gone.clear()
                self._union(tx, "seen", row[0], part["seen"])

    # --- what is short

    def _short(self, tx: Transaction, account: int, part: dict[str, Any]) -> None:
        if part["password"] != part["was"]:  # it was changed there: that word stands if no other was given here
            sql = "UPDATE account SET password = ? WHERE id = ? AND password IS ?"
            tx.execute(sql, (part["password"], account, part["was"]))
        for table in ("subscription", "sift"):
            self._union(tx, table, account, part[table])
        places = [self._layout.columns["had_post"].index(column) for column in ("source", "post")]
        there = "SELECT 1 FROM entry WHERE account = ? AND source = ? AND post = ?"
        had = [row for row in part["had_post"] if not tx.one(there, (account, *(row[at] for at in places)))]
        self._union(tx, "had_post", account, had)
        self._follows(tx, account, part["name"], part["follow"])

    def _union(self, tx: Transaction, table: str, account: int, rows: Iterable[list[Any]]) -> int:
        columns = self._layout.columns[table]
        sql = f"INSERT OR IGNORE INTO {table} (account, {', '.join(columns)}) VALUES (?{', ?' * len(columns)})"
        return tx.executemany(sql, [(account, *row) for row in rows]).rowcount

    def _follows(self, tx: Transaction, account: int, name: str, rows: list[list[Any]]) -> None:
        """What each welcome and goodbye said holds, whichever host heard it; an interval ends where the first says."""
        columns = self._layout.columns["follow"]
        at = {column: columns.index(column) for column in ("source", "generation", "until_post")}
        inbox = tx.one("SELECT id FROM folder WHERE account = ? AND name = 'INBOX'", (account,))
        assert inbox is not None
        marks, new = ", ".join("?" * (len(columns) + 2)), 0
        sql = f"INSERT OR IGNORE INTO follow (account, {', '.join(columns)}, folder) VALUES ({marks})"
        for row in rows:
            folder = _folder_by(tx, account, row[-1]) or inbox[0]
            new += tx.execute(sql, (account, *row[:-1], folder)).rowcount
            tx.execute(
                "UPDATE follow SET until_post = min(until_post, ?) WHERE account = ? AND source = ? AND generation = ?",
                (row[at["until_post"]], account, row[at["source"]], row[at["generation"]]),
            )
        if new:  # what the log here has of it is filed when somebody looks, or handed out
            tx.execute("UPDATE account SET cursor = 0 WHERE id = ?", (account,))
            owe_all(tx, name)

    # --- of what both have

    def _changed(self, tx: Transaction, account: int, part: dict[str, Any], base: list[int], gone: Gone) -> None:
        validity, uidnext, modseq = base
        folder = _folder_by(tx, account, validity)
        if folder is None:
            return
        untouched = modseq + MODSEQS_SKIPPED
        here = tx.all("SELECT uid, flags, keywords, modseq FROM entry WHERE folder = ? AND uid < ?", (folder, uidnext))
        there = {uid: (flags, words) for uid, flags, words in part["flags"]}
        went, kept = set(part["gone"]), part["kept"] and set(part["kept"])
        changes = []
        for uid, flags, words, at in here:
            if uid in there and (wanted := _merged((flags, words), there[uid], at > untouched)) != (flags, words):
                changes.append((*wanted, folder, uid))
            if at <= untouched and (uid in went or (kept is not None and uid not in kept)):
                gone.add((validity, uid))
        if changes:
            row = tx.one("UPDATE folder SET modseq = modseq + 1 WHERE id = ? RETURNING modseq", (folder,))
            assert row is not None
            sql = "UPDATE entry SET flags = ?, keywords = ?, modseq = ? WHERE folder = ? AND uid = ?"
            tx.executemany(sql, [(*change[:2], row[0], *change[2:]) for change in changes])

    # --- of what only they have

    def _extra(self, tx: Transaction, account: int, part: dict[str, Any], gone: Gone, now: float) -> None:
        validity, called, use = part["folder"]
        folder = self._folder(tx, account, part["name"], validity, called, use, now)
        columns = ["uid", "digest", *self._layout.columns["entry"]]
        known = Bodies.by_digest(tx, {bytes.fromhex(row[1]) for row in part["rows"]})
        bodies = {digest.hex(): body for digest, body in known.items()}
        for row, key in zip(part["rows"], part["keys"], strict=True):
            one = dict(zip(columns, row, strict=True), key=key)
            noted = (account, self._host, validity, one["uid"])
            if one["digest"] not in bodies:  # it went while it was read
                continue
            if tx.execute("INSERT OR IGNORE INTO taken_back VALUES (?, ?, ?, ?)", noted).rowcount:
                self._file(tx, account, folder, one | {"body": bodies[one["digest"]]}, gone, now)

    def _file(self, tx: Transaction, account: int, folder: int, one: dict[str, Any], gone: Gone, now: float) -> None:
        before = self._moved_from(tx, account, one, gone)
        if before is not None:
            gone.discard((before[1], before[2]))
            move(tx, before[0], [before[2]], folder, now)
            return
        if _is_here(tx, account, one):
            return
        if one["source"] is not None and is_outward(tx):  # it is handed out with all that comes
            log_post(tx, Post(one["source"], one["post"], one["body"], one["size"], one["arrival"]))
            return
        Bodies.share(tx, one["body"])
        columns = ("source", "post", "body", "size", "flags", "keywords", "arrival")
        insert(tx, folder, [(account, *(one[column] for column in columns))], one["saved"])
        if one["source"] is None:
            count(tx, account, one["size"], 1)

    def _moved_from(
        self, tx: Transaction, account: int, one: dict[str, Any], gone: Gone
    ) -> tuple[int, int, int] | None:
        """Where the message is here, if it is one that was moved there: (folder, its UIDVALIDITY, UID)."""
        if not gone:  # the usual case; the search passes all that the account has
            return None
        rows = tx.all(
            "SELECT f.id, f.uidvalidity, e.uid FROM folder f JOIN entry e ON e.folder = f.id"
            " WHERE f.account = ? AND e.body = ? AND e.arrival = ? AND e.source IS ? AND e.post IS ?",
            (account, one["body"], one["arrival"], one["source"], one["post"]),
        )
        return next((row for row in rows if (row[1], row[2]) in gone), None)

    def _folder(
        self, tx: Transaction, account: int, name: str, validity: int, called: str, use: str, now: float
    ) -> int:
        """The same folder, else one of that name, else a new one."""
        found = _folder_by(tx, account, validity)
        if found is None:
            row = tx.one("SELECT id FROM folder WHERE account = ? AND name = ?", (account, called))
            found = int(row[0]) if row else None
        if found is None:
            try:
                return create_folder(tx, name, called, now, use).id
            except FolderError:
                row = tx.one("SELECT id FROM folder WHERE account = ? AND name = 'INBOX'", (account,))
                assert row is not None
                return int(row[0])
        return found


def _is_here(tx: Transaction, account: int, one: dict[str, Any]) -> bool:
    """A post by its number; a letter by its key: where that came here by itself, it came at another moment."""
    if one["source"] is not None:
        post = (account, one["source"], one["post"])
        return any(
            tx.one(f"SELECT 1 FROM {table} WHERE account = ? AND source = ? AND post = ?", post)
            for table in ("entry", "had_post")
        )
    row = tx.one("SELECT at FROM seen WHERE account = ? AND mail = ?", (account, one["key"]))
    return row is not None and row[0] != one["arrival"]


def _folder_by(tx: Transaction, account: int, validity: int | None) -> int | None:
    row = tx.one("SELECT id FROM folder WHERE account = ? AND uidvalidity = ?", (account, validity))
    return int(row[0]) if row else None


def _merged(here: tuple[int, str], there: tuple[int, str], touched: bool) -> tuple[int, str]:
    """Flags of a message that was changed there; `touched`: here too."""
    if not touched:
        return there
    words = keywords_text([*here[1].split(), *there[1].split()][:KEYWORDS_MAX])
    return here[0] | (there[0] & ~DELETED), words
