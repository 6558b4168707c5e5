"""Ask the owner of a fabric address whether it exists, by RCPT, so that unknown users are refused at any door; and the
server that keeps the mailboxes, whether one is full.

Law: an owner that is away costs next to nothing per question, and never turns into a refusal. Answers are remembered:
yes for long, no for a short time, "not now" not at all. Whoever asks the same at the same time shares one question, and
questions to one host that come while one is on its way go together in the next (RFC 2920).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from mail.outcome import Deferred, Delivered, Outcome
from spool.breaker import Breaker
from spool.route import Fabric, Shelf, Via
from spool.runner_settings import Settings, Timeouts
from spool.smtp_client import Client, Peer, Session

log = logging.getLogger("heliograph.spool")

Key = tuple[str, str, int]


@dataclass(slots=True)
class _Line:
    """The connection to one host, and the questions that wait for it."""

    peer: Peer
    breaker: Breaker
    waiting: dict[str, asyncio.Future[Outcome]] = field(default_factory=dict)
    asking: asyncio.Task[None] | None = None
    session: Session | None = None
    used_at: float = 0.0


class Callout:
    """Asks; `close` hangs up."""

    def __init__(self, settings: Settings, fabric: Fabric, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        quick = settings.ask_seconds
        times = Timeouts(connect=quick, greeting=quick, command=quick, group=quick, quit=quick)
        # Without TLS: the question tells an eavesdropper no more than the RCPT that it answers.
        self._client = Client(settings.hostname, times, settings.source_address, starttls=False, prove=fabric.prove)
        self._answers: OrderedDict[str, tuple[float, Outcome]] = OrderedDict()
        self._lines: dict[Key, _Line] = {}

    async def ask(self, via: Via | Shelf) -> Outcome:
        """Delivered: the owner takes it. Refused: it does not, for good. Deferred: it cannot be asked now."""
        known = self._answers.get(via.mailbox)
        if known is not None and self._clock() < known[0]:
            return known[1]
        line = self._line(via)
        if line.breaker.is_open(self._clock()):
            return _away(line)
        future = line.waiting.get(via.mailbox)
        if future is None:
            future = line.waiting[via.mailbox] = asyncio.get_running_loop().create_future()
            if line.asking is None:
                line.asking = asyncio.get_running_loop().create_task(self._ask_all(line))
        return await asyncio.shield(future)  # who gives up does not take the answer from the others

    def forget(self, mailbox: str) -> None:
        """Ask again next time."""
        self._answers.pop(mailbox, None)

    async def close(self) -> None:
        """Hang up; who still waits hears that nobody answers."""
        for line in self._lines.values():
            if line.asking is not None:
                line.asking.cancel()
            for future in line.waiting.values():
                _answer(future, _away(line))
            _hang_up(line)
        self._lines.clear()

    async def _ask_all(self, line: _Line) -> None:
        """Ask what waits, a transaction at a time, until nothing does."""
        while line.waiting:
            mailboxes = list(line.waiting)[: self._settings.ask_recipients_max]
            try:
                async with asyncio.timeout(self._settings.ask_seconds):
                    outcomes = await self._question(line, mailboxes)
            except TimeoutError:
                _hang_up(line)
                line.breaker.failed(self._clock(), f"4.4.2 {line.peer.name or line.peer} does not answer in time")
                outcomes = [_away(line)] * len(mailboxes)
            except Exception:
                log.exception("asking %s failed; mail for it is taken and queued", line.peer)
                _hang_up(line)
                outcomes = [_away(line)] * len(mailboxes)
            for mailbox, outcome in zip(mailboxes, outcomes, strict=True):
                self._remember(mailbox, outcome)
                _answer(line.waiting.pop(mailbox), outcome)
        line.asking = None

    async def _question(self, line: _Line, mailboxes: list[str]) -> list[Outcome]:
        """Ask over the kept connection; if that has gone meanwhile, over a new one."""
        kept = line.session
        if kept is not None and kept.is_usable and self._clock() - line.used_at < self._settings.ask_idle_seconds:
            outcomes = await kept.verify(mailboxes, self._settings.ask_seconds)
            if kept.is_usable:
                line.used_at = self._clock()
                return outcomes
        _hang_up(line)
        if not line.breaker.begin(self._clock()):
            return [_away(line)] * len(mailboxes)
        try:
            return await self._anew(line, mailboxes)
        except BaseException:
            line.breaker.abandoned()
            raise

    async def _anew(self, line: _Line, mailboxes: list[str]) -> list[Outcome]:
        reached = await self._client.connect(line.peer)
        if not isinstance(reached, Session):
            line.breaker.failed(self._clock(), reached.text)
            return [reached] * len(mailboxes)
        line.session, line.used_at = reached, self._clock()
        outcomes = await reached.verify(mailboxes, self._settings.ask_seconds)
        if all(isinstance(outcome, Deferred) for outcome in outcomes) and not reached.is_usable:
            line.breaker.failed(self._clock(), outcomes[0].text)
        else:
            line.breaker.succeeded()
        return outcomes

    def _remember(self, mailbox: str, outcome: Outcome) -> None:
        if isinstance(outcome, Deferred):
            return
        settings = self._settings
        seconds = settings.ask_yes_seconds if isinstance(outcome, Delivered) else settings.ask_no_seconds
        self._answers[mailbox] = self._clock() + seconds, outcome
        self._answers.move_to_end(mailbox)
        if len(self._answers) > settings.ask_answers_max:
            self._answers.popitem(last=False)

    def _line(self, via: Via | Shelf) -> _Line:
        key = (via.host, via.address, via.port) if isinstance(via, Via) else ("", via.place, 0)
        line = self._lines.get(key)
        if line is None:
            if len(self._lines) >= self._settings.ask_hosts_max:
                self._forget_quiet()
            line = self._lines[key] = _Line(_peer(via), Breaker(first_seconds=1.0, last_seconds=15.0, failures_max=1))
        return line

    def _forget_quiet(self) -> None:
        """Hosts that moved away leave lines behind."""
        for key in [key for key, line in self._lines.items() if line.asking is None]:
            _hang_up(self._lines.pop(key))


def _peer(via: Via | Shelf) -> Peer:
    if isinstance(via, Shelf):
        return Peer.shelf(via.place)
    return Peer(via.address, via.port, via.host, in_fabric=True)


def _away(line: _Line) -> Deferred:
    return Deferred(line.breaker.reason or f"4.4.1 {line.peer.name or line.peer} does not answer")


def _answer(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.done():
        future.set_result(outcome)


def _hang_up(line: _Line) -> None:
    if line.session is not None:
        line.session.close()
        line.session = None
