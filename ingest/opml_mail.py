"""Lists of feeds by mail: one that came is followed, one that is asked for is gathered from host to host.

Law: a list is an attachment or the whole text, known by how it begins. Its feeds are wishes like those of lines, told
of in the same answer; what is more than one mail may ask for is left out, and counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from directory.names import FabricNames
from ingest import feeds
from ingest.errands import Errands
from ingest.header_text import line_of, mail_date
from ingest.opml import NoOpml, Outline, is_list, read_opml, write_opml
from ingest.passing_on import letter_to_host
from ingest.post import part
from ingest.urls import BadUrl, canonical
from ingest.wish import Wish, folder_of
from mail.envelope import Arrival, Outgoing, Recipient
from mail.feed_control import GatherFeeds
from mail.gathering import Gathered, read, written
from mail.headers import header_line, split_message
from mail.parts import parts_of
from store import Transaction

LIST_OCTETS_MAX = 700_000  # as it is packed: of 200 feeds the longest known has a tenth
FEEDS_MAX = 200  # of one mail, as many as may wait of one person; a longer list comes in several, or by the operator
BAD_SHOWN_MAX = 50
TOO_LONG = "it is too long for a mail: send parts of it, each a list of its own, or ask the operator to import it"
STRANGER = "lists of feeds are for people with an account here, signed in"
ANSWER = """\
{count} of what you follow are feeds: the list is attached, and any feed reader
takes it. What else you follow (people, newsletters, programs) has no address on
the web; to see it, write list to {follow}
"""


def with_list(errands: Errands, arrival: Arrival, options: Wish) -> Errands:
    """Return a mail's errands with the feeds of the lists that came with it. `options`: what its lines say for all."""
    for each in parts_of(arrival.content, LIST_OCTETS_MAX):
        if not is_list(each.content):
            continue
        name = each.name or "the list"
        if not arrival.authenticated:
            return replace(errands, bad=(*errands.bad, (name, STRANGER)))
        try:
            errands = _added(errands, _feeds(each.content), options)
        except NoOpml as no:
            # One that was cut is no XML for that reason.
            errands = replace(errands, bad=(*errands.bad, (name, TOO_LONG if each.cut else str(no))))
    return errands


def _feeds(content: bytes) -> list[Outline]:
    found = read_opml(content)
    if not found:
        raise NoOpml("it is a list without feeds")
    return found


def _added(errands: Errands, outlines: list[Outline], options: Wish) -> Errands:
    wishes = errands.wishes
    good, bad = {each.url: each for each in wishes.good}, dict(wishes.bad)
    left_out = wishes.left_out
    for each in outlines:
        try:
            url = canonical(each.url).text
        except BadUrl as error:
            bad.setdefault(each.url[:200], str(error))
            continue
        folder = options.folder if options.folder != "INBOX" else folder_of(each.folder) or "INBOX"
        if url not in good and len(good) >= FEEDS_MAX:
            left_out += 1
        else:
            good.setdefault(url, replace(options, url=url, folder=folder, listed=True))
    shown = tuple(bad.items())[:BAD_SHOWN_MAX]
    return replace(errands, wishes=replace(wishes, good=tuple(good.values()), bad=shown, left_out=left_out))


def gather(
    tx: Transaction, names: FabricNames, arrival: Arrival, asked: GatherFeeds, bucket_of: Callable[[str], int | None]
) -> Outgoing:
    """Add the feeds of this host, and pass the letter on, or answer. `bucket_of`: a bucket of a host, if it has one."""
    found = _with_ours(tx, read(split_message(arrival.content)[1]))
    for place, host in enumerate(found.hosts):
        bucket = bucket_of(host)
        if bucket is not None:
            rest = replace(found, hosts=found.hosts[place + 1 :])
            seed = f"{asked}\0{rest.hosts}\0{arrival.now}"
            return letter_to_host(names, bucket, "Which feeds are these?", asked, written(rest), seed, arrival.now)
    return _answer(names, asked, found, arrival.now)


def _with_ours(tx: Transaction, found: Gathered) -> Gathered:
    ours = {name: feed for name, _ in found.sources if (feed := feeds.by_source(tx, name))}
    told = tuple((ours[name].url, ours[name].title, folder) for name, folder in found.sources if name in ours)
    left = tuple((name, folder) for name, folder in found.sources if name not in ours)
    return Gathered(left, found.hosts, found.feeds + told)


def _answer(names: FabricNames, asked: GatherFeeds, found: Gathered, now: float) -> Outgoing:
    """Send the list to who asked for it."""
    person = names.person(asked.account)
    shown = [Outline(url, title, "" if folder == "INBOX" else folder) for url, title, folder in found.feeds]
    text = ANSWER.format(count=len(shown), follow=names.follow())
    seed = f"{person}\0{asked.about}\0{now}".encode("utf-8", "replace")
    name = hashlib.blake2b(seed, digest_size=12).hexdigest()
    about = asked.about if asked.about.isascii() and asked.about.isprintable() and len(asked.about) <= 250 else ""
    fields = [
        ("From", f"Follow <{names.follow()}>"),
        ("To", person),
        ("Subject", "Your feeds, as a list"),
        ("Date", mail_date(now, now)),
        ("Message-ID", f"<{name}.follow@{names.domain}>"),
        *([("In-Reply-To", about), ("References", about)] if about else []),
        ("Auto-Submitted", "auto-replied"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/mixed; boundary="=_{name}"'),
    ]
    listed = write_opml(line_of(f"Feeds of {asked.account}", 200), shown).decode()
    attached = b'Content-Disposition: attachment; filename="feeds.opml"\r\n' + part("text/x-opml", listed)
    edge = f"--=_{name}".encode()
    body = b"".join(edge + b"\r\n" + each + b"\r\n" for each in (part("text/plain", text), attached))
    head = b"".join(header_line(*field) for field in fields)
    return Outgoing("", (Recipient(person),), head + b"\r\n" + body + edge + b"--\r\n")
