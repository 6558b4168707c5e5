"""Filing what an account's sources have posted, before anybody looks.

Law: UIDs that are made lazily are stored before they are shown; a write is made only where there is something to file.
Where nothing can be stored now, what was filed before is shown.
"""

from __future__ import annotations

from functools import partial

from mailbox_host import timeline
from mailbox_host.imap.effects import Steps, read, write
from mailbox_host.imap.session import Session
from store import Reader, StoreFull, Transaction


def catch_up(session: Session) -> Steps[None]:
    """File until nothing is due; each write files a bounded number."""
    commits = yield from read(Reader.count_commits)
    if commits == session.filed_at:
        return
    while (yield from read(partial(_behind, session.account))):
        try:  # it rings for nobody: who follows the same was rung for too
            yield from write(partial(_catch_up, session.account), rings=False)
        except StoreFull:
            return
        commits = yield from read(Reader.count_commits)
    session.filed_at = commits


def _behind(account: str, reader: Reader) -> bool:
    return timeline.behind(reader, account)


def _catch_up(account: str, tx: Transaction) -> int:
    return timeline.catch_up(tx, account)
