"""A scripted player without I/O and without a clock: it is given input and the time, and returns output.

It logs in, then types. With a rate it types on schedule, whether or not it is answered, and the latency of each
command counts from the time it was due. So a server that stalls for a second is charged with every command that waited
in that second, not only with the one being processed. Without a rate it waits for the answer and its think time.

If only silence ends an answer, a command cannot be sent before the previous one is answered. It is sent late, and its
latency still counts from the time it was due.

Source: Gil Tene on "coordinated omission", and his wrk2
"""

from __future__ import annotations

import math
import string
from collections import deque
from dataclasses import replace
from typing import NamedTuple

from ..telnet.client import LetsHide, TakesMarks, TelnetClient
from .script import LoadScript, LoadStep
from .tally import LoadTally

PATIENCE = 5.0  # seconds to wait for a greeting, which some servers do not send
MOST_OWED = 1000  # answers; commands due beyond this number are not sent
LAST_WORDS = 200  # characters
OPTIONS = (TakesMarks(), LetsHide())  # all others are refused


def in_letters(number: int) -> str:
    """Return a number from 1 in letters like a spreadsheet column, for names without digits: a, b, … z, aa, ab."""
    letters = ""
    while number:
        number, letter = divmod(number - 1, 26)
        letters = string.ascii_lowercase[letter] + letters
    return letters


class _Owed(NamedTuple):
    """An outstanding answer."""

    due: float  # time at which the command was due
    text: bytes | None  # expected text; None: a mark or silence
    asked: float  # time at which the command was sent
    step: int  # its position in the login or among the commands, from 0


class LoadPlayer:
    """One of the players of a load.

    The caller makes three calls: `begin` when the connection is established, `hear` for received bytes, and `wake`
    when `next_moment` has come. After each, send the bytes that `data_to_send` returns.

    Args:
        number: Its number, from 1.
        phase: The start of its first command, as a fraction of the period, so that players do not type simultaneously.
        rate: Commands per second; None: each command follows the answer to the last one and the think time.
    """

    __slots__ = (
        "_client",
        "_commands",
        "_done",
        "_heard_at",
        "_heard_since",
        "_is_stopped",
        "_last",
        "_login",
        "_marks",
        "_next",
        "_now",
        "_out",
        "_owed",
        "_period",
        "_phase",
        "_rest",
        "_script",
        "_tally",
        "_think",
        "is_in",
        "number",
    )

    def __init__(
        self, number: int, script: LoadScript, tally: LoadTally, *, rate: float | None = None, phase: float = 0
    ) -> None:
        self.number = number
        self._script = script
        self._tally = tally
        self._period = None if rate is None else 1 / rate
        self._phase = phase
        self._login = deque(script.login)
        self._commands = tuple(
            self._mine(
                replace(
                    step,
                    expect=step.expect or script.expect,
                    think=script.think if step.think is None else step.think,
                )
            )
            for step in script.commands
        )
        self._done = 0  # number of commands begun
        self._client = TelnetClient(OPTIONS, self._hear_text, self._hear_mark)
        self._owed: deque[_Owed] = deque()
        self._rest = b""  # text in which the next answer may begin
        self._last = b""  # the last text received
        self._heard_at = 0.0
        self._heard_since = False  # text was received since the awaited answer became the first outstanding one
        self._marks = False  # True if the server marks the prompts after its answers
        self._next = math.inf  # time at which the next line is due
        self._now = 0.0
        self._out: list[bytes] = []
        self._think = 0.0  # seconds of thinking after the answer to the last line
        self._is_stopped = False
        self.is_in = False

    def begin(self, now: float) -> None:
        """Start the player: its connection is established."""
        self._now = now
        self._heard_at = now
        if self._login:
            self._log_in()
        else:
            self._owed.append(_Owed(now, None, now, 0))

    def hear(self, data: bytes, now: float) -> None:
        """Process bytes from the server."""
        self._now = now
        if self._silence_ends() <= now:  # `wake` was not called in time
            self._be_answered(self._heard_at)
        self._client.receive(data)
        if self._next <= now:
            self._type()

    def wake(self, now: float) -> None:
        """Advance the time."""
        self._now = now
        if self._silence_ends() <= now:
            self._be_answered(self._heard_at if self._heard_since else now)
        if self._next <= now:
            self._type()

    def stop(self) -> None:
        """Stop typing; answers are still processed."""
        self._is_stopped = True
        self._next = math.inf

    def data_to_send(self) -> bytes:
        """Return and remove the bytes to send; b"" if there are none."""
        if self._client.engine.has_data_to_send:
            self._out.append(self._client.data_to_send())
        if not self._out:
            return b""
        data = b"".join(self._out)
        self._out.clear()
        return data

    @property
    def next_moment(self) -> float:
        """The time at which to call `wake`; inf if no call is needed."""
        return min(self._silence_ends(), math.inf if self._must_wait() else self._next)

    @property
    def owes_nothing(self) -> bool:
        """True if every sent command is answered."""
        return not self._owed

    @property
    def waits_since(self) -> float:
        """The time since which the player waits for the answer to its oldest line; inf if it waits for none."""
        return self._owed[0].asked if self._owed else math.inf

    @property
    def awaited(self) -> str:
        """The step that waits for its answer, and the text it waits for, as in the script.

        If none waits, the next step of an incomplete login; "" once the login is complete.
        """
        if not self._owed:
            return f"step {self._steps_begun + 1} of the login was not begun when the load ended" if self._login else ""
        number = self._owed[0].step
        if self.is_in:
            step = self._script.commands[number]
            return f"{step.send!r} waits for {self._in_words(step.expect or self._script.expect)}"
        if not self._script.login:
            return "the greeting has not come"
        step = self._script.login[number]
        sent = "" if step.send is None else f", {step.send!r},"
        return f"step {number + 1} of the login{sent} waits for {self._in_words(step.expect)}"

    @property
    def last_words(self) -> str:
        """The last line received from the server, without control characters; empty if there was none."""
        lines = self._last_lines()
        return lines[-1][:LAST_WORDS] if lines else ""

    @property
    def last_text(self) -> str:
        """The end of the last text received from the server, its lines joined by blanks; empty if there was none."""
        return " ".join(self._last_lines())[-LAST_WORDS:]

    # Called by the client

    def _hear_text(self, data: bytes) -> None:
        """Search the text for the expected answer."""
        if not data.isspace():
            self._last = data
        self._heard_at = self._now
        self._heard_since = True
        text = self._rest + data if self._rest else data
        at = 0
        while self._owed and (wanted := self._owed[0].text) is not None:
            found = text.find(wanted, at)
            if found < 0:
                self._rest = text[max(at, len(text) - len(wanted) + 1) :]
                return
            at = found + len(wanted)
            self._be_answered(self._now)
        self._rest = b""

    def _hear_mark(self) -> None:
        """End the prompt, and an answer that waits for it."""
        if self._owed and self._owed[0].text is None:
            # A game may mark the questions of its login and no other prompt.
            self._marks |= self.is_in or not self._script.login
            self._be_answered(self._now)

    # Internal

    def _last_lines(self) -> list[str]:
        """Return the lines of the last text that are not empty, without control characters."""
        lines = (line.strip() for line in self._last.decode("utf-8", "replace").splitlines())
        return ["".join(c if c.isprintable() else "?" for c in line) for line in lines if line]

    def _in_words(self, text: str | None) -> str:
        """Return what an answer waits for, which is a text or, without one, what else ends an answer."""
        if text is not None:
            return repr(text)
        return "a prompt" if self._goes_by_marks else "a prompt or silence"

    def _mine(self, step: LoadStep) -> LoadStep:
        """Return a step with this player's number filled in."""
        send, expect = step.send, step.expect
        return replace(
            step,
            send=None if send is None else self._with_number(send),
            expect=None if expect is None else self._with_number(expect),
        )

    def _with_number(self, text: str) -> str:
        return text.replace("{n}", str(self.number)).replace("{a}", in_letters(self.number))

    def _must_wait(self) -> bool:
        """True if the next command may not be sent before the last one is answered."""
        return bool(self._owed) and (
            self._period is None or not self.is_in or (self._owed[0].text is None and not self._goes_by_marks)
        )

    @property
    def _goes_by_marks(self) -> bool:
        return self._marks or (self._script.prompt and self.is_in)

    def _silence_ends(self) -> float:
        """Return the time at which silence ends the outstanding answer; inf if it does not."""
        if not self._owed or self._owed[0].text is not None or self._goes_by_marks:
            return math.inf
        if self._heard_since:
            return self._heard_at + self._script.quiet
        greeted = self.is_in or bool(self._script.login)
        return math.inf if greeted else self._owed[0].asked + PATIENCE

    def _type(self) -> None:
        """Send the commands that are due."""
        while self._next <= self._now and not self._is_stopped and not self._must_wait():
            due = self._next
            if not self.is_in:
                self._next = math.inf
                self._log_in()
                return
            number = self._done % len(self._commands)
            self._done += 1
            self._next = math.inf if self._period is None else due + self._period
            is_sent = len(self._owed) < MOST_OWED
            self._tally.send(due, self._now, is_sent=is_sent)
            if is_sent:
                self._say(self._commands[number], number, due)

    def _say(self, step: LoadStep, number: int, due: float) -> None:
        self._think = step.think or 0.0
        if step.send is not None:
            self._out.append(step.send.encode() + b"\r\n")
        if not self._owed:
            self._heard_since = False
        self._owed.append(_Owed(due, None if step.expect is None else step.expect.encode(), self._now, number))

    @property
    def _steps_begun(self) -> int:
        return len(self._script.login) - len(self._login)

    def _log_in(self) -> None:
        number = self._steps_begun
        self._say(self._mine(self._login.popleft()), number, self._now)

    def _be_answered(self, when: float) -> None:
        owed = self._owed.popleft()
        self._heard_since = False
        if self.is_in:
            self._tally.answer(owed.due, when)
            if self._period is None and not self._is_stopped:
                self._next = when + self._think
        elif self._login:
            if not self._is_stopped:
                self._next = when + self._think
        else:
            self._come_in()

    def _come_in(self) -> None:
        self.is_in = True
        self._tally.logged_in += 1
        if not self._is_stopped:
            self._next = self._now + self._phase * (self._period or self._script.think)
