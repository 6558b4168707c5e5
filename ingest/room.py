"""The room behind ``follow@D``: it reads what people want, and hands each address to the host that polls it.

Law: nothing is fetched here. An address is taken by the host that owns the bucket of its registrable domain, and by
any other passed on as control mail, in the transaction that took the mail. Machines are never answered.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from directory.names import Follow
from directory.snapshot import Directory
from ingest import feeds, requests
from ingest.answers import answer
from ingest.carry_out import Asker, carry_out
from ingest.errand_text import answer_words
from ingest.errands import Errand, Errands, Unfollow, errands_of, lines_of
from ingest.handing_on import answered, take
from ingest.leaving import unfollow_feed
from ingest.opml_mail import gather, with_list
from ingest.owners import is_gone
from ingest.passing_on import DIRECT, IMPORTED, Word, request_mail
from ingest.settings import Settings
from ingest.urls import BadUrl, canonical
from ingest.wish import options_of
from mail.address import BadAddress, parse_address
from mail.automatic import why_automatic
from mail.control import Followers, FollowFeed, Sift, UnfollowFeed, read_controls
from mail.envelope import Arrival, Outgoing, Receipt
from mail.feed_control import GatherFeeds, OwnerGone, TakeFeed, TookFeed
from mail.headers import first_addr_spec
from mail.outcome import Deferred, Delivered, Refused
from store import Transaction

SUBSCRIBER_QUOTED_MAX = 150  # with a URL and a folder it must fit a control field's line


class IngestRoom:
    """Implements the room of `Follow` names. `host`: this host's name."""

    def __init__(self, host: str, directory: Callable[[], Directory], settings: Settings) -> None:
        self.host = host
        self.directory = directory
        self.settings = settings
        self.on_request: Callable[[], None] = lambda: None  # the poller's wake

    def receive(self, tx: Transaction, arrival: Arrival, name: Follow) -> Receipt:
        """Take a mail to ``follow@D`` or ``follow@bN.reflectors.D``."""
        wanted = _controls(arrival)
        if wanted is None:
            return Receipt(Refused("5.6.0 a control of this mail cannot be read"))
        if wanted and name.bucket is not None:
            return self._take_controls(tx, arrival, wanted, name.bucket)
        if why_automatic(arrival):
            return Receipt(Delivered("2.0.0 Ok, not answered"))
        return self._hear(tx, arrival)

    def pass_on(
        self, wanted: FollowFeed, bucket: int, *, direct: bool, asked_by: str, sift: Sift = requests.ALL
    ) -> Outgoing:
        """Write a request to the host that polls for a bucket."""
        words: list[Word] = [wanted, sift] if sift.only or sift.without else [wanted]
        return request_mail(self.directory().names, bucket, "Follow a feed", words, asked_by=asked_by, direct=direct)

    def bucket_of(self, url: str) -> int:
        """Return the bucket whose owner polls an address."""
        return self.directory().names.bucket(canonical(url).domain)

    def polls(self, bucket: int) -> bool:
        """Tell whether this host polls for a bucket."""
        return self.directory().owner("reflectors", bucket) == self.host

    def polls_source(self, source: str) -> bool:
        """Tell whether this host looks into the mailbox of a source."""
        return self.polls(self.directory().names.bucket(source))

    def _take_controls(self, tx: Transaction, arrival: Arrival, wanted: list[Word], bucket: int) -> Receipt:
        """Carry out what a host asks for. The bucket is believed: another host may have another list of suffixes."""
        if not self.polls(bucket):
            return Receipt(Deferred("4.3.0 this bucket is moving"))
        asked = [each for each in wanted if isinstance(each, FollowFeed)]
        if not all(requests.has_room(tx, each.subscriber) for each in asked):
            return Receipt(Deferred("4.3.1 too many requests are waiting"))
        for told in wanted:
            if isinstance(told, Followers | TookFeed):
                self._hear_of_feed(tx, told, arrival.now)
        direct = arrival.headers.get(DIRECT) == "yes"
        about = message_id_of(arrival, "in-reply-to")
        sift = next((each for each in wanted if isinstance(each, Sift)), requests.ALL)
        for each in asked:
            if each.confirmed or requests.may_ask(tx, each.subscriber, arrival.now):
                self._take(tx, each, bucket, direct=direct, asked_by=about, now=arrival.now, sift=sift)
        try:
            outgoing = [out for each in wanted for out in self._carry_out(tx, arrival, each, bucket, about)]
        except (ValueError, KeyError, TypeError):
            return Receipt(Refused("5.6.0 a letter between hosts cannot be read"))
        return Receipt(outgoing=tuple(outgoing))

    def _carry_out(self, tx: Transaction, arrival: Arrival, each: Word, bucket: int, about: str) -> list[Outgoing]:
        """Do what a host says that has an answer, or goes on to others."""
        names = self.directory().names
        match each:
            case UnfollowFeed():
                return unfollow_feed(tx, names, each, about, arrival.now)
            case OwnerGone(owner):
                return is_gone(tx, names, owner)
            case TakeFeed():
                tx.after_commit(self.on_request)
                return [take(tx, names, arrival, each, bucket)]
            case GatherFeeds():
                return [gather(tx, names, arrival, each, self._bucket_of_host)]
        return []

    def _bucket_of_host(self, host: str) -> int | None:
        """Return a bucket that a host polls for."""
        directory = self.directory()
        return next(
            (each for each in range(directory.names.buckets) if directory.owner("reflectors", each) == host), None
        )

    def _hear_of_feed(self, tx: Transaction, told: Followers | TookFeed, now: float) -> None:
        """A feed that nobody follows is not polled. Its edits' source is not asked about: it goes with the feed."""
        if isinstance(told, TookFeed):
            answered(tx, told, now)
            return
        feed = feeds.by_source(tx, told.source)
        if feed and (told.followers > 0 or feed.counted_at):  # who came since we asked may not be counted
            feeds.followed_by(tx, feed, max(0, told.followers), now)
            tx.after_commit(self.on_request)

    def _hear(self, tx: Transaction, arrival: Arrival) -> Receipt:
        """Do what a person's mail asks for."""
        confirmed = bool(arrival.authenticated)
        person = self._person(arrival)
        if not person:
            return Receipt(Delivered("2.0.0 Ok, nobody to answer"))
        if not requests.has_room(tx, person):
            return Receipt(Deferred("4.3.1 too many requests are waiting"))
        names, about = self.directory().names, message_id_of(arrival, "message-id")
        who = Asker(person, arrival.authenticated, about, arrival.now)
        lines = lines_of(arrival)
        errands = with_list(errands_of(lines, names), arrival, options_of(lines))
        outgoing = [out for _, errand in errands.words for out in self._errand(tx, who, errand)]
        for each in errands.wishes.good:
            wanted = FollowFeed(each.url, person, each.folder, confirmed, each.edits, each.fulltext)
            asked_by = IMPORTED if each.listed else about
            outgoing += self._wish(tx, arrival, wanted, Sift("", each.only, each.without), asked_by)
        return Receipt(outgoing=(*outgoing, *self._answers(tx, who, errands)))

    def _errand(self, tx: Transaction, who: Asker, errand: Errand) -> list[Outgoing]:
        if not who.entity and not requests.may_ask(tx, who.address, who.now):
            return []
        names = self.directory().names
        if not isinstance(errand, Unfollow) or not errand.url:
            return carry_out(names, who, errand)
        unwanted, bucket = UnfollowFeed(errand.url, who.address, bool(who.entity)), self.bucket_of(errand.url)
        if self.polls(bucket):
            return unfollow_feed(tx, names, unwanted, who.about, who.now)
        return [request_mail(names, bucket, "Unfollow a feed", [unwanted], asked_by=who.about)]

    def _wish(self, tx: Transaction, arrival: Arrival, wanted: FollowFeed, sift: Sift, asked_by: str) -> list[Outgoing]:
        if not wanted.confirmed and not requests.may_ask(tx, wanted.subscriber, arrival.now):
            return []
        bucket = self.bucket_of(wanted.url)
        if not self.polls(bucket):
            return [self.pass_on(wanted, bucket, direct=False, asked_by=asked_by, sift=sift)]
        self._take(tx, wanted, bucket, direct=False, asked_by=asked_by, now=arrival.now, sift=sift)
        return []

    def _take(
        self, tx: Transaction, wanted: FollowFeed, bucket: int, *, direct: bool, asked_by: str, now: float, sift: Sift
    ) -> None:
        requests.take(tx, wanted, bucket=bucket, direct=direct, asked_by=asked_by, now=now, sift=sift)
        tx.after_commit(self.on_request)

    def _person(self, arrival: Arrival) -> str:
        """Return whom this concerns: the signed-in user, or whoever From names."""
        if arrival.authenticated:
            return self.directory().names.person(arrival.authenticated)
        try:
            found = str(parse_address(first_addr_spec(arrival.headers.get("from"))))
        except BadAddress:
            return ""
        return found if len(quote(found, safe="@:/+.-_")) <= SUBSCRIBER_QUOTED_MAX else ""

    def _answers(self, tx: Transaction, who: Asker, errands: Errands) -> list[Outgoing]:
        """Say once what becomes of each line; of a single one, whoever sees to it does."""
        if errands.single if who.entity else not errands.wants_words:
            return []
        if not who.entity and not requests.may_be_answered(tx, who.address, who.now):
            return []
        names = self.directory().names
        subject, text = answer_words(names, who, errands)
        return [answer(names, to=who.address, subject=subject, text=text, about=who.about, now=who.now)]


def message_id_of(arrival: Arrival, field: str) -> str:
    """Return a Message-ID that can be written into a header again, or ""."""
    said = arrival.headers.get(field).partition(" ")[0]
    fine = said.isascii() and said.isprintable() and len(said) <= 250 and said.startswith("<") and said.endswith(">")
    return said if fine else ""


def _controls(arrival: Arrival) -> list[Word] | None:
    """Return a trusted mail's requests; None if it carries what is none, or no address that can be fetched.

    A room's mail is nobody's: what a person submitted is never read as one.
    """
    if not arrival.signed_by or arrival.authenticated:
        return []
    try:
        controls = read_controls(arrival.headers)
        for each in controls:
            if not isinstance(each, Word) or (isinstance(each, FollowFeed) and canonical(each.url).text != each.url):
                return None
    except (ValueError, BadUrl):
        return None
    return [each for each in controls if isinstance(each, Word)]
