"""The commands that a fan-out feels, answered in the order and the packets they came in: MAIL, RCPT, DATA, RSET, NOOP.

Law: none of them costs a coroutine, unless another host must be asked or the Door takes a message. How the client cut
its octets into packets makes no difference.
"""

from __future__ import annotations

from functools import partial

from mail.outcome import Delivered, Outcome
from spool import replies
from spool.data_reader import DataReader
from spool.intake import OVERLONG
from spool.lobby import Entrance
from spool.replies import reply_of
from spool.smtp_session import Due, SmtpSession
from spool.smtp_settings import ASKED_MAX, COMMAND_OCTETS_MAX, RECEIVED_FROM_HOSTS_MAX, RECEIVED_MAX

HOT = (b"MAIL", b"DATA", b"RSET", b"NOOP")


class SmtpPipeline(SmtpSession):
    """A session that knows MAIL, RCPT, DATA, RSET and NOOP, and hands every other line to `smtp_*` methods."""

    def __init__(self, entrance: Entrance) -> None:
        super().__init__(entrance)
        self._message: DataReader | None = None
        self._idle_commands = 0

    def advance(self) -> Due | None:
        answered = False
        while not self.farewell:
            if self._message is not None:
                return self._read_on(self._message)
            line = self.intake.line()
            if line is None:
                break
            answered = True
            due = self._answer(line)
            if due is not None:
                return due
        if answered:
            self.clock.touch()
        return self._settle if self.answers.asked else None

    def _answer(self, line: bytes) -> Due | None:
        verb, _, argument = line[:-2].partition(b" ")
        verb = verb.upper()
        if verb == b"RCPT" and line.endswith(b"\r\n") and len(line) <= COMMAND_OCTETS_MAX:
            if self.answers.asked < ASKED_MAX:
                self._rcpt(argument)
                return None
        elif not self.answers.asked:
            return self._answer_other(line, verb, argument)
        return partial(self._settle, line)

    def _rcpt(self, argument: bytes) -> None:
        answer = self.transaction.rcpt(argument.decode(errors="surrogateescape"))
        if isinstance(answer, bytes):
            self.say(answer)
        else:
            self.answers.add_later(answer)

    def _answer_other(self, line: bytes, verb: bytes, argument: bytes) -> Due | None:
        fault = _fault_of_line(line, verb)
        if fault:
            self.say(fault)
        elif not self._is_too_idle():
            if verb not in HOT:
                return partial(self._obey, verb, argument)
            self.say(self._hot_reply(verb, argument))
        return None

    def _hot_reply(self, verb: bytes, argument: bytes) -> bytes:
        if verb == b"NOOP":
            return replies.OK
        if verb == b"MAIL":
            return self._mail(argument)
        if argument:
            return replies.NO_ARGUMENT
        if verb == b"DATA":
            return self._data()
        self.transaction.reset()
        return replies.OK

    def _mail(self, argument: bytes) -> bytes:
        if not self.guest.helo:
            return replies.HELLO_FIRST % (b"LHLO" if self.guest.role == "lmtp" else b"EHLO")
        try:
            return self.transaction.mail(argument.decode(errors="surrogateescape"))
        except Exception as error:
            return self.reply_of_fault(error)

    def _data(self) -> bytes:
        refusal = self.transaction.data_refusal()
        if refusal is None:
            hops_max = RECEIVED_FROM_HOSTS_MAX if self.guest.host else RECEIVED_MAX
            self._message = DataReader(self.settings.message_octets_max, self.entrance.lobby.room, hops_max)
            self.clock.begin_phase(self.settings.data_seconds_max)
        return refusal or replies.GO_AHEAD

    def _read_on(self, message: DataReader) -> Due | None:
        rest = message.feed(self.intake.take())
        self.clock.touch()
        if rest is not None:
            self.intake.give_back(rest)
            return self._deliver
        if message.is_endless:
            self.dismiss(replies.TOO_MUCH_DATA)
        return None

    def forget_message(self) -> None:
        if self._message is not None:
            self._message.close()
            self._message = None

    async def _deliver(self) -> None:
        """The clock stands still, for what takes long now is ours; nothing cancels it, gone client or not."""
        assert self._message is not None
        await self.flush()
        count = self.transaction.accepted
        self.clock.suspend()
        outcome = await self.transaction.deliver(self._message.finish())
        self.clock.begin_phase(self.settings.command_seconds_max)
        self.forget_message()
        if isinstance(outcome, Delivered):
            self.errors = self._idle_commands = 0
        self.conclude(outcome, count)

    def conclude(self, outcome: Outcome, count: int) -> None:
        """Answer for the message that `count` RCPTs were answered 250 for."""
        self.say(reply_of(outcome))

    def _is_too_idle(self) -> bool:
        """Count a command that is no RCPT; a fabric host that proved itself may probe as often as it likes."""
        self._idle_commands += 1
        if self._idle_commands <= self.settings.idle_commands_max or self.guest.host:
            return False
        self.dismiss(replies.TOO_MANY_COMMANDS)
        return True

    async def _settle(self, line: bytes | None = None) -> None:
        """Wait for the recipients that another host was asked about; then comes the line that had to wait as well."""
        self.clock.suspend()
        await self.answers.settle(self.say)
        self.clock.begin_phase(self.settings.command_seconds_max)
        due = None if line is None or self.farewell else self._answer(line)
        if due is not None:
            await due()

    async def _obey(self, verb: bytes, argument: bytes) -> None:
        method = self._smtp_methods.get(verb.decode("latin-1"))
        if method is None:
            self.say(replies.UNKNOWN)
            return
        try:
            await method(argument.decode(errors="surrogateescape").strip())
        except ConnectionError:  # who went away is not answered, and it is no fault of ours
            raise
        except Exception as error:
            if self.transport is None:
                raise
            self.say((await self.handle_exception(error)).encode() + b"\r\n")


def _fault_of_line(line: bytes, verb: bytes) -> bytes | None:
    if line is OVERLONG or (len(line) > COMMAND_OCTETS_MAX and verb != b"AUTH"):
        return replies.OVERLONG_LINE
    return None if line.endswith(b"\r\n") else replies.BARE_LF
