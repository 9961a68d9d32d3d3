"""The report of a load: its measurements as text for people or as JSON for programs."""

from __future__ import annotations

import json
import math
from typing import Final

from .histogram import Histogram
from .load import Load

PERCENTILES: Final = (50, 90, 99, 99.9)
BUSY: Final = 0.9  # of a core; above it, the load measures itself

_Figures = dict[str, float | int | None]


class LoadReport:
    """The figures of one load, finished or interrupted.

    Args:
        load: The load to report on.
        cpu: Processor time of the load itself during the measurement, in seconds.
    """

    def __init__(self, load: Load, cpu: float, now: float) -> None:
        self._load = load
        tally = load.tally
        self.seconds = max(0.0, min(tally.ended, now) - tally.began) if tally.began < math.inf else 0.0
        self.busy = cpu / self.seconds if self.seconds else 0.0

    @property
    def is_whole(self) -> bool:
        """True if all players came in, no connection was lost, and every command was answered."""
        tally = self._load.tally
        all_came = tally.logged_in == self._load.plan.players
        return all_came and not tally.lost and not self._load.unanswered and bool(tally.latency.count)

    def as_json(self) -> str:
        """Return one JSON object on one line; durations are in seconds, null if there is none."""
        load, tally, plan = self._load, self._load.tally, self._load.plan
        connecting = tally.last_connect - tally.first_connect
        return json.dumps(
            {
                "host": plan.host,
                "port": plan.port,
                "players": plan.players,
                "rate": plan.rate,
                "seconds": round(self.seconds, 6),
                "connected": tally.connected,
                "connects_per_second": tally.connected / connecting if connecting > 0 else None,
                "logged_in": tally.logged_in,
                "commands": tally.due,
                "answered": tally.latency.count,
                "unanswered": load.unanswered,
                "not_sent": tally.not_sent,
                "answers_per_second": tally.latency.count / self.seconds if self.seconds else None,
                "latency": _figures(tally.latency),
                "connecting": _figures(tally.connecting),
                "late": _figures(tally.late),
                "lost": dict(tally.lost),
                "waiting": {
                    awaited: {"count": count, "last_text": tally.last_texts[awaited]}
                    for awaited, count in tally.stuck.items()
                },
                "bytes_in": tally.bytes_in,
                "bytes_out": tally.bytes_out,
                "load_cpu": round(self.busy, 3),
            }
        )

    def as_text(self) -> str:
        """Return a few lines of text."""
        load, tally, plan = self._load, self._load.tally, self._load.plan
        lines = [
            f"{tally.logged_in} of {plan.players} players came in at {plan.where}; measured for {self.seconds:.1f} s.",
            f"connections  {tally.connected} made{self._pace()}, {_spread(tally.connecting)}",
            f"commands     {tally.due:,} sent or due, {tally.latency.count:,} answered, {load.unanswered:,} not"
            + (f"; {tally.not_sent:,} not sent, too many answers were owed" if tally.not_sent else ""),
        ]
        if tally.latency.count:
            lines += [
                f"answers      {tally.latency.count / self.seconds:,.0f}/s",
                f"latency      {_spread(tally.latency)}",
            ]
        if plan.rate is not None and tally.late.count:
            lines.append(f"sent late    {_spread(tally.late)}")
        lines.append(f"bytes        {tally.bytes_in:,} in, {tally.bytes_out:,} out")
        lines += [f"lost         {count} x {why}" for why, count in tally.lost.most_common()]
        lines += [
            f"waiting      {count} x {awaited}; "
            + (f"the last text was {text!r}" if (text := tally.last_texts[awaited]) else "no text came")
            for awaited, count in tally.stuck.most_common()
        ]
        if self.busy > BUSY:
            lines.append(
                f"The load took {self.busy:.0%} of a core, so these figures are its own as much as the server's:"
                " take fewer commands a second, or several processes."
            )
        return "\n".join(lines)

    def _pace(self) -> str:
        took = self._load.tally.last_connect - self._load.tally.first_connect
        return f", {self._load.tally.connected / took:,.0f}/s" if took > 0 else ""


def _figures(histogram: Histogram) -> _Figures:
    figures: _Figures = {f"p{percent:g}": histogram.percentile(percent) for percent in PERCENTILES}
    return {"count": histogram.count, **figures, "max": histogram.longest if histogram.count else None}


def _spread(histogram: Histogram) -> str:
    if not histogram.count:
        return "none"
    shown = [f"p{percent:g} {_shown(histogram.percentile(percent) or 0.0)}" for percent in PERCENTILES]
    return ", ".join([*shown, f"max {_shown(histogram.longest)}"])


def _shown(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.2f} ms"
