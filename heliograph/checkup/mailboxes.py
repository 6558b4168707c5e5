"""Mailboxes: what accounts are said to keep is what they keep.

Law: it counts everything anew, in pages, and mends nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from heliograph import exits
from heliograph.checkup.finding import Finding, fault, good, warning
from heliograph.configuration.settings import Config
from heliograph.control.bulk import miscounted
from heliograph.control.desk import desk, hosts_here
from heliograph.exits import CommandError

SHOWN_MAX = 5
ANSWER_SECONDS_MAX = 10.0


def mailboxes(config: Config) -> Iterator[Finding]:
    """Look at every host of this machine."""
    for name in hosts_here(config):
        try:
            with desk(config, name, ANSWER_SECONDS_MAX) as host:
                host.ask("status")  # counting may take long; one that stands still is not waited for
            with desk(config, name) as host:
                wrong = miscounted(host)
        except CommandError as error:
            if error.code == exits.TEMPFAIL:
                yield warning("mailboxes", f"{name}: {error}", "look again when it answers")
            else:  # the database is gone, damaged, another's: the error says what to do
                yield fault("mailboxes", f"{name} cannot be looked at", str(error))
            continue
        if wrong:
            shown = ", ".join(wrong[:SHOWN_MAX])
            text = f"{name}: {len(wrong)} accounts count what they keep wrongly: {shown}"
            yield fault("mailboxes", text, "heliograph account recount")
        else:
            yield good("mailboxes", f"{name}: every account keeps what it is said to keep")
