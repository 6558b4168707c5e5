"""Whether a bucket that is offered may come: what the taker answers.

Law: `holding.answer` decides; where the giver may not know what it owns, all other hosts are asked. A bucket that
this host owns too is taken in only if nothing of it is here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from heliograph.moving import frames
from heliograph.moving.clearing import clear
from heliograph.moving.demoting import demote_all
from heliograph.moving.frames import Broken, Word, packed
from heliograph.moving.inquiry import Inquiry
from heliograph.moving.parties import REPLICA, Party
from heliograph.ownership.holding import (
    ACQUIRING,
    DEMOTED,
    OWNER,
    Both,
    Go,
    Offer,
    Taken,
    Wait,
    acquire,
    answer,
    is_beaten,
    outlive,
)
from heliograph.ownership.ownership import Key, find
from store import Reader, Transaction

BUCKETS_MAX = 64  # in one offer

Answer = Go | Taken | Both | Wait


class Agreement:
    """With one giver."""

    def __init__(self, party: Party, inquiry: Inquiry, peer: str) -> None:
        self._party, self._inquiry, self._peer = party, inquiry, peer

    async def answer(self, word: Word) -> Word:
        """Say of each bucket that is offered whether it may come, and make room for those that may."""
        said, lost = word.value, self._peer in self._party.zone().lost
        offers = [
            Offer(of, bucket, self._peer, epoch, serial, bool(given_up), lost, given_up == DEMOTED)
            for of, bucket, epoch, serial, given_up in said["buckets"][:BUCKETS_MAX]
        ]
        layouts = {which: cargo.layout() for which, cargo in self._party.cargo.items()}
        if said["version"] != frames.VERSION or said["layouts"] != layouts:
            why = f"{self._party.host} and {self._peer} run different versions: bring both up to date"
            return packed("answers", [["wait", why] for _ in offers])
        answers = [self._answer(offer) for offer in offers]
        answers = await self._doubted(offers, answers)
        answers = [await self._settled(offer, given) for offer, given in zip(offers, answers, strict=True)]
        begun = [offer for offer, given in zip(offers, answers, strict=True) if isinstance(given, Go)]
        await self._begin([offer for offer in begun if not self._goes_on(offer)])
        return packed("answers", [_said(given) for given in answers])

    def _answer(self, offer: Offer) -> Answer:
        party, key = self._party, (offer.map, offer.bucket)
        if offer.map not in party.cargo or not 0 <= offer.bucket < party.names.buckets:
            return Wait("there is no such bucket")
        if why := party.holds_back(self._peer, *key):
            return Wait(why)
        given = self._judge(party.store.reader, offer)
        if isinstance(given, Both):
            party.ownership.doubles[key] = self._peer
        return given

    def _judge(self, source: Reader | Transaction, offer: Offer) -> Answer:
        party, key = self._party, (offer.map, offer.bucket)
        offer = replace(offer, lost=self._peer in party.zone().lost)
        mine = find(source, *key)
        bare = mine is not None and mine.state == OWNER and self._is_bare(source, key)
        return answer(party.host, mine, offer, party.view(*key), bare)

    async def _settled(self, offer: Offer, given: Answer) -> Answer:
        """Where both own it: what was given up to this host is its own with an epoch above that; and who hears of a
        higher epoch than its own came back from a backup, and owns nothing of it."""
        party = self._party
        mine = find(party.store.reader, offer.map, offer.bucket)
        if mine is None or mine.state != OWNER:
            return given
        if isinstance(given, Taken) and (alone := outlive(mine, offer)):
            await party.store.write(lambda tx: party.ownership.put(tx, alone))
            return Taken(alone.epoch)
        if isinstance(given, Both) and not offer.sealed and is_beaten(mine, offer.epoch):
            await demote_all(party, [mine], self._peer)
            return Wait(f"{party.host} has something of it to give back first")
        return given

    def _is_bare(self, source: Reader | Transaction, key: Key) -> bool:
        return not self._party.cargo[key[0]].units(source, self._party.in_buckets([key[1]]))

    async def _doubted(self, offers: list[Offer], answers: list[Answer]) -> list[Answer]:
        """What was sealed without being agreed on here may have been another's: the giver came back from a backup. And
        whom the zone never named for a bucket, as far as this host remembers, may have made it up."""
        strange = [
            (offer.map, offer.bucket)
            for offer, given in zip(offers, answers, strict=True)
            if isinstance(given, Go) and not offer.lost and not self._goes_on(offer) and self._is_strange(offer)
        ]
        asks = strange and not self._peer.endswith(REPLICA)  # of whom others were asked before (standby/fence.py)
        doubts = await self._inquiry.doubts(strange, self._peer) if asks else {}
        return [
            Wait(doubts[offer.map, offer.bucket]) if (offer.map, offer.bucket) in doubts else given
            for offer, given in zip(offers, answers, strict=True)
        ]

    def _is_strange(self, offer: Offer) -> bool:
        return offer.sealed or not self._party.ownership.was_named((offer.map, offer.bucket), offer.giver)

    def _goes_on(self, offer: Offer) -> bool:
        mine = find(self._party.store.reader, offer.map, offer.bucket)
        return mine is not None and (mine.state, mine.peer, mine.epoch) == (ACQUIRING, offer.giver, offer.epoch)

    async def _begin(self, offers: list[Offer]) -> None:
        """What is here of an older time goes first; what this host owned too, and has nothing of, is not its own. While
        others were asked, and while that goes, the zone and the tables may have become others."""
        party, keys = self._party, [(offer.map, offer.bucket) for offer in offers]
        begun = [acquire(offer, party.clock()) for offer in offers]

        def work(tx: Transaction) -> None:
            self._check([self._judge(tx, offer) for offer in offers])
            party.ownership.put(tx, *begun)

        self._check([self._answer(offer) for offer in offers])

        owned = [key for key in keys if (mine := find(party.store.reader, *key)) and mine.state == OWNER]
        await clear(party, [key for key in keys if key not in owned])
        await party.store.write(work)
        # Whoever was told meanwhile that nothing comes from a lost host (standby/fence.py) did not see this commit yet.
        if self._peer in party.zone().lost and not all(offer.sealed for offer in offers):
            raise Broken(f"{self._peer} is lost")

    def _check(self, answers: list[Answer]) -> None:
        if not all(isinstance(given, Go) for given in answers):
            raise Broken(f"what {self._peer} offered may not come any more")


def _said(given: Answer) -> list[Any]:
    match given:
        case Both(epoch):
            return ["both", epoch]
        case Go():
            return ["go", ""]
        case Taken(epoch):
            return ["taken", epoch]
        case Wait(reason):
            return ["wait", reason]
