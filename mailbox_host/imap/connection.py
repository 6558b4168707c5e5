"""A connection: carries out what its session wants, one effect after the other.

Law: whatever happens here ends this connection at worst. Time and octets before login are bounded, output waits for
its reader, and a busy client lets the others have their turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from mailbox_host.accounts import NoSuchAccount
from mailbox_host.folders import FolderError
from mailbox_host.imap import dispatch
from mailbox_host.imap.channel import Channel
from mailbox_host.imap.client_input import ClientInput, Gone
from mailbox_host.imap.client_output import ClientOutput
from mailbox_host.imap.deflate import DeflateChannel
from mailbox_host.imap.effects import (
    AskLine,
    Close,
    Effect,
    HandedOver,
    NotSignedIn,
    Read,
    SignedIn,
    SignIn,
    StartCompression,
    StartTls,
    Steps,
    WaitForNews,
    Whole,
    Write,
)
from mailbox_host.imap.framing import Ask, Event, Frame, TooLarge
from mailbox_host.imap.news import News
from mailbox_host.imap.proxy import Upstream, pipe
from mailbox_host.imap.services import Services
from mailbox_host.imap.session import Session
from mailbox_host.imap.stand_in import CLOSED, StandIn
from store import Reader, StoreFull

log = logging.getLogger("heliograph.imap")

COMMANDS_AT_ONCE = 10  # of a pipelining client, before others have their turn


class Connection:
    """Runs one session over one channel."""

    def __init__(self, services: Services, channel: Channel, session: Session, *, relayed: bool) -> None:
        self.session = session
        self.channel = channel
        self.relayed = relayed  # it comes from another host: it is never passed on to a third
        self.upstream: Upstream | None = None
        self.copy: StandIn | None = None  # of the account's host, which is away
        self._services = services
        self._input = ClientInput(channel, session, services.slots)
        self._output = ClientOutput(channel)
        self._news: News | None = None  # while in IDLE
        self._deflate: DeflateChannel | None = None
        self._turned_away = False  # while it was sending, perhaps

    async def run(self) -> None:
        """Serve until the end; raise nothing but cancellation."""
        try:
            await self._serve()
            await self._output.flush()
            if self.upstream:
                await pipe(self.channel, self.upstream, self._input.rest(), self._changed)
        except Gone as gone:
            self._say_last(gone.goodbye)
        except OSError:
            pass
        except Exception:
            log.exception("connection of %s ended", self.channel.peer)
        finally:
            self._ignore_news()
            await self._input.command_done()
            if self.upstream:
                self.upstream.writer.close()
            self.channel.close(linger=self._turned_away or self.session.ended)

    @property
    def is_idle(self) -> bool:
        """Whether it waits in IDLE; for a client that was led to another host, that one knows."""
        return self._news is not None

    def say_goodbye(self) -> None:
        """The server closes (RFC 3501 7.1.5)."""
        self._say_last(b"The server closes, come back in a moment")

    def say_moved(self) -> None:
        """The account is another host's."""
        self._say_last(dispatch.MOVED.removeprefix(b"BYE "))

    def say_closed(self) -> None:
        """The copy that it is shown is."""
        self._say_last(CLOSED)

    def _say_last(self, goodbye: bytes) -> None:
        if goodbye and not self.upstream:
            self._turned_away = True
            self._output.say_last(goodbye)

    async def _serve(self) -> None:
        await self._input.ready()
        self._output.say(dispatch.greet(self.session))
        handled = 0
        while not self.session.ended:
            event = self._input.event()
            if event is None:
                await self._output.flush()
                self._doze()
                await self._input.receive()
                continue
            await self._react(event)
            handled += 1
            if handled % COMMANDS_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _react(self, event: Event) -> None:
        match event:
            case Ask():
                self._output.say(b"+ Go ahead\r\n")
            case TooLarge():
                await self._perform(dispatch.refuse(self.session, event))
            case Frame():
                await self._perform(dispatch.handle(self.session, event))
                await self._input.command_done()

    async def _perform(self, steps: Steps[None]) -> None:
        """Run a session's steps to their end."""
        try:
            await self._step_through(steps)
        except (Gone, OSError, asyncio.CancelledError):
            raise
        except Exception:  # a fault of ours: this command fails, nothing else does
            log.exception("command of %s failed", self.session.account or self.channel.peer)
            self._output.say(self.session.tag + b" NO [SERVERBUG] Something went wrong here, it was logged\r\n")
        finally:
            steps.close()

    async def _step_through(self, steps: Steps[Any]) -> Any:
        effect: Effect
        try:
            effect = next(steps)
            while True:
                try:
                    if isinstance(effect, Read) and not effect.long:  # most are: a coroutine for each would cost more
                        result = effect.query(self._services.store.reader)
                    else:
                        result = await self._carry_out(effect)
                except (FolderError, NoSuchAccount, StoreFull) as error:  # expected; the session has an answer to them
                    effect = steps.throw(error)
                else:
                    effect = steps.send(result)
        except StopIteration as end:
            return end.value

    async def _carry_out(self, effect: Effect) -> Any:
        match effect:
            case bytes():
                return await self._output.write(effect)
            case Read(query):
                return await self._read_long(query)
            case Write(work, rings):
                return await self._services.change(self.session.account, work, rings=rings)
            case Whole(steps):
                return await _to_the_end(self._step_through(steps))
            case WaitForNews():
                return await self._wait_for_news()
            case AskLine(prompt):
                self._output.say(b"+ " + prompt + b"\r\n")
                await self._output.flush()
                return await self._input.line()
            case SignIn():
                return await self._sign_in(effect)
            case StartTls():
                await self._start_tls()
            case StartCompression():
                await self._start_compression()
            case Close():
                await self._output.flush()
        return None

    async def _sign_in(self, asked: SignIn) -> SignedIn | NotSignedIn | HandedOver:
        outcome = await self._services.sign_in(asked, self.channel.peer, relayed=self.relayed)
        if isinstance(outcome, SignedIn) and outcome.shown_from:
            self.copy = outcome.shown_from
            self._services = self._services.of(self.copy)
        if not isinstance(outcome, Upstream):
            return outcome
        self.upstream = outcome
        return HandedOver(outcome.status)

    async def _read_long(self, query: Callable[[Reader], Any]) -> Any:
        """Read in a thread. What there is to say goes out first: nobody works long for a client that is gone."""
        await self._output.flush()
        return await self._services.store.read(query)

    async def _changed(self) -> None:
        await self._input.waker.wait(None)

    async def _start_tls(self) -> None:
        context = self._services.tls
        assert context is not None
        await self._output.flush()
        self._input.rest()
        self.channel.start_tls(context)
        await self._input.ready()

    def _doze(self) -> None:
        if self._deflate:
            self._deflate.doze()

    async def _start_compression(self) -> None:
        await self._output.flush()
        self._deflate = DeflateChannel(self.channel, self._input.rest(), self._input.waker.wake)
        self.channel = self._deflate
        self._input.through(self._deflate)
        self._output.through(self._deflate)

    async def _wait_for_news(self) -> bytes | None:
        await self._output.flush()
        self._doze()
        self._news = self._news or self._services.news_for(self.session.account, self._input.waker.wake)
        line = await self._input.line_or_news(self._news)
        if line is None:
            self._news.look()
        else:
            self._ignore_news()
        return line

    def _ignore_news(self) -> None:
        if self._news:
            self._news.close()
            self._news = None


async def _to_the_end(work: Coroutine[Any, Any, Any]) -> Any:
    """Whoever cancels us waits until it is done."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    finally:
        await asyncio.wait((task,))
