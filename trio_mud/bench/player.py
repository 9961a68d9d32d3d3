"""One scripted player, without I/O and without a clock: told what it hears and what time it is, it says what to send.

It logs in, then types.  With a rate it types on schedule, whether it is answered or not, and the latency of each
command counts from the moment it was due: a server that stalls for a second is charged with every command that had to
wait in that second, not only with the one it was busy with.  Without a rate it waits for the answer, and thinks.

Where nothing but silence ends an answer, a command cannot be sent before the last one is answered: it is sent late,
and its latency still counts from when it was due.

Source: Gil Tene on "coordinated omission", and his wrk2
"""

from __future__ import annotations

import math
import string
from collections import deque
from dataclasses import replace
from typing import NamedTuple

from .ear import Ear
from .script import Script, Step
from .tally import Tally

PATIENCE = 5.0  # seconds for a greeting; then the server is one that says nothing at first
MOST_OWED = 1000  # answers; past it commands that are due are not sent
LAST_WORDS = 200  # characters


def in_letters(number: int) -> str:
    """A number from 1 as a spreadsheet names its columns, for names without digits: a, b, … z, aa, ab and so on."""
    letters = ""
    while number:
        number, letter = divmod(number - 1, 26)
        letters = string.ascii_lowercase[letter] + letters
    return letters


class _Owed(NamedTuple):
    """An answer that is waited for."""

    due: float  # when its command was
    text: bytes | None  # that is looked for; None: a mark or silence
    asked: float  # when it was sent


class Player:
    """One of a crowd.

    Three calls drive it: `begin` when its connection stands, `hear` for what comes, `wake` when `next_moment` has come.
    After each, send what `data_to_send` returns.

    Args:
        number: Its own, from 1.
        phase: Where between 0 and 1 in the period of its commands it begins, so that a crowd does not type as one.
        rate: Commands a second; None: the next when the last one is answered and thought about.
    """

    __slots__ = (
        "_commands",
        "_done",
        "_ear",
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
        self, number: int, script: Script, tally: Tally, *, rate: float | None = None, phase: float = 0
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
        self._done = 0  # commands begun
        self._ear = Ear(self)
        self._owed: deque[_Owed] = deque()
        self._rest = b""  # text in which the next answer may begin
        self._last = b""  # text heard last
        self._heard_at = 0.0
        self._heard_since = False  # since the answer now waited for was asked for, or became the first owed
        self._marks = False  # the server marks the prompts behind its answers
        self._next = math.inf  # when the next line is due
        self._now = 0.0
        self._out: list[bytes] = []
        self._think = 0.0  # seconds after the answer to the line sent last
        self._is_stopped = False
        self.is_in = False

    def begin(self, now: float) -> None:
        """The connection stands."""
        self._now = now
        self._heard_at = now
        if self._login:
            self._log_in()
        else:
            self._owed.append(_Owed(now, None, now))

    def hear(self, data: bytes, now: float) -> None:
        """Take bytes from the server."""
        self._now = now
        if self._silence_ends() <= now:  # nobody woke it in time
            self._be_answered(self._heard_at)
        self._ear.take(data)
        if self._next <= now:
            self._type()

    def wake(self, now: float) -> None:
        """It is so late now."""
        self._now = now
        if self._silence_ends() <= now:
            self._be_answered(self._heard_at if self._heard_since else now)
        if self._next <= now:
            self._type()

    def stop(self) -> None:
        """Type no more; answers are still heard."""
        self._is_stopped = True
        self._next = math.inf

    def data_to_send(self) -> bytes:
        """Take what is to be sent now; empty if there is nothing."""
        if self._ear.engine.has_data_to_send:
            self._out.append(self._ear.engine.data_to_send())
        if not self._out:
            return b""
        data = b"".join(self._out)
        self._out.clear()
        return data

    @property
    def next_moment(self) -> float:
        """When to call `wake`; inf for not at all as things stand."""
        return min(self._silence_ends(), math.inf if self._must_wait() else self._next)

    @property
    def owes_nothing(self) -> bool:
        """Whether every command that was sent is answered."""
        return not self._owed

    @property
    def last_words(self) -> str:
        """The last line that the server said, made harmless; empty if it said none."""
        lines = [line for line in self._last.decode("utf-8", "replace").splitlines() if line.strip()]
        return "".join(c if c.isprintable() else "?" for c in lines[-1].strip()[:LAST_WORDS]) if lines else ""

    # What the ear calls

    def hear_text(self, data: bytes) -> None:
        """Look for the answer in it."""
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

    def hear_mark(self) -> None:
        """A prompt is whole, and with it an answer that waits for that."""
        if self._owed and self._owed[0].text is None:
            # A game may mark the questions of its login, and no other prompt.
            self._marks |= self.is_in or not self._script.login
            self._be_answered(self._now)

    # Its own

    def _mine(self, step: Step) -> Step:
        """A step with this player's number."""
        send, expect = step.send, step.expect
        return replace(
            step,
            send=None if send is None else self._with_number(send),
            expect=None if expect is None else self._with_number(expect),
        )

    def _with_number(self, text: str) -> str:
        return text.replace("{n}", str(self.number)).replace("{a}", in_letters(self.number))

    def _must_wait(self) -> bool:
        """Whether the next command may not be sent before the last one is answered."""
        return bool(self._owed) and (
            self._period is None or not self.is_in or (self._owed[0].text is None and not self._goes_by_marks)
        )

    @property
    def _goes_by_marks(self) -> bool:
        return self._marks or (self._script.prompt and self.is_in)

    def _silence_ends(self) -> float:
        """When silence will answer what is owed; inf where it does not."""
        if not self._owed or self._owed[0].text is not None or self._goes_by_marks:
            return math.inf
        if self._heard_since:
            return self._heard_at + self._script.quiet
        greeted = self.is_in or bool(self._script.login)
        return math.inf if greeted else self._owed[0].asked + PATIENCE

    def _type(self) -> None:
        """Send what is due."""
        while self._next <= self._now and not self._is_stopped and not self._must_wait():
            due = self._next
            if not self.is_in:
                self._next = math.inf
                self._log_in()
                return
            step = self._commands[self._done % len(self._commands)]
            self._done += 1
            self._next = math.inf if self._period is None else due + self._period
            is_sent = len(self._owed) < MOST_OWED
            self._tally.send(due, self._now, is_sent=is_sent)
            if is_sent:
                self._say(step, due)

    def _say(self, step: Step, due: float) -> None:
        self._think = step.think or 0.0
        if step.send is not None:
            self._out.append(step.send.encode() + b"\r\n")
        if not self._owed:
            self._heard_since = False
        self._owed.append(_Owed(due, None if step.expect is None else step.expect.encode(), self._now))

    def _log_in(self) -> None:
        self._say(self._mine(self._login.popleft()), self._now)

    def _be_answered(self, when: float) -> None:
        owed = self._owed.popleft()
        self._heard_since = False
        if self.is_in:
            self._tally.answer(owed.due, when)
            if self._period is None and not self._is_stopped:
                self._next = when + self._think
        elif self._login:
            self._next = when + self._think
        else:
            self._come_in()

    def _come_in(self) -> None:
        self.is_in = True
        self._tally.logged_in += 1
        if not self._is_stopped:
            self._next = self._now + self._phase * (self._period or self._script.think)
