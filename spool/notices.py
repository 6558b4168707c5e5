"""Notices to senders of what became of their mail, put into the queue.

Law: a notice is queued in the transaction that ends what it tells of, and carries nothing back that somebody else could
use: no stranger's text, no signature of ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from mail.envelope import Recipient
from mail.headers import drop_headers
from mail.signature import TRUSTED_PREFIX
from spool.dsn import Action, Notice, Told, report
from spool.queue import Message, Queue, Row, message
from spool.route import SHELF
from spool.runner_settings import Settings
from store import Bodies, Transaction, events


class Notices:
    """Writes for one host."""

    def __init__(self, queue: Queue, settings: Settings) -> None:
        self._queue = queue
        self._settings = settings

    def tell(
        self, tx: Transaction, about: Message, host: str, rows: Sequence[tuple[Row, str]], action: Action, now: float
    ) -> None:
        """Queue one notice per return path; none to the null path (RFC 5321 6.1). `rows`: with the last reply each;
        `host`: who gave it."""
        paths: dict[str, list[Told]] = {}
        for row, reply in rows:
            path = about.sender if row.sender is None else row.sender
            paths.setdefault(path, []).append(Told(row.address.removeprefix(SHELF), reply, host, row.orcpt))
        lost = paths.pop("", None)
        if lost:
            detail = {"message": about.id, "recipients": len(lost), "reply": lost[0].reply}
            events.append(tx, now, "double-bounce", **detail)
        if not paths or message(tx, about.id) is None:  # dropped by the operator meanwhile
            return
        whole = self._whole(tx, about) if about.sender in paths else None
        header = self._header(tx, about)
        for path, recipients in paths.items():
            # Another path is a list's, one for each follower: ten thousand of them would be as many copies of the post.
            mine = whole if path == about.sender else None
            self._put_notice(tx, about, path, recipients, action, mine or header, mine is not None, now)

    def _put_notice(
        self,
        tx: Transaction,
        about: Message,
        path: str,
        recipients: Sequence[Told],
        action: Action,
        original: bytes,
        whole: bool,
        now: float,
    ) -> None:
        notice = Notice(
            action=action,
            to=path,
            recipients=recipients,
            original=original,
            whole=whole,
            envid=about.client_envid or about.envid,
            accepted_at=about.accepted_at,
            now=now,
            reporting_mta=self._settings.hostname,
            daemon=self._settings.mailer_daemon,
        )
        content = report(notice)
        self._queue.put(
            tx,
            sender="",
            recipients=[Recipient(path)],
            body=Bodies.keep(tx, content),
            envid=hashlib.sha256(content).hexdigest(),
            signed_by=self._settings.host,
            accepted_at=now,
            now=now,
        )

    def _whole(self, tx: Transaction, about: Message) -> bytes | None:
        """Return the mail, if all of it may go back. A stranger's text never does: his return path may be somebody
        else's, and we would carry the spam there (backscatter)."""
        if not about.signed_by or about.ret == "HDRS":
            return None
        content = Bodies.read_small(tx, about.body, self._settings.dsn_octets_max)
        return None if content is None else _without_our_word(content, about)

    def _header(self, tx: Transaction, about: Message) -> bytes:
        return _without_our_word(Bodies.read_header(tx, about.body)[: self._settings.dsn_octets_max], about)


def _without_our_word(content: bytes, about: Message) -> bytes:
    """A host's signature goes with the fields that it vouches for: who has it could add them again."""
    vouched = ("dkim-signature",) if about.signed_by else ()
    return drop_headers(content, vouched, prefix=TRUSTED_PREFIX)
