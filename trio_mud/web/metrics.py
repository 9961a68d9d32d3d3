"""The metrics of a server, in the text format of Prometheus.

`METRICS` is the list of all: the names, types and labels are fixed, and no label holds a name, an address or anything
that a player types. They are read at each scrape; nothing is collected in between.

It needs `prometheus_client`, the extra `metrics`. Used by `watch`.

Source: Prometheus, "Exposition formats", "Metric and label naming"
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Literal

import trio
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from trio_mud import Cause, __version__
from trio_mud.driver.core.durations import BOUNDS, Durations
from trio_mud.driver.link.sniffing import ForeignProtocol
from trio_mud.driver.link.traffic import OTHER, TELNET, TLS, WEB
from trio_mud.driver.server.figures import Figures
from trio_mud.telnet import AnomalyKind

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Readings:
    """The sources of the metrics.

    Args:
        figures: Those of the server.
        lag: The delays of the event loop.
        expiry: Returns when the certificate of the server ends, in seconds since 1970; None without one.
    """

    figures: Figures
    lag: Durations
    expiry: Callable[[], float | None]


@dataclass(frozen=True, slots=True)
class MetricKind:
    """One metric.

    Attributes:
        kind: Its type.
        labels: The names of its labels.
        help: Its meaning.
        read: Returns its values by the values of its labels.
    """

    kind: Literal["counter", "gauge", "histogram", "info"]
    labels: Labels
    help: str
    read: Callable[[Readings], Mapping[Labels, float | Durations]]


class ServerCollector(Collector):
    """Reads all metrics of one server for a registry."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with its present values."""
        for name, metric in METRICS.items():
            values = metric.read(self._readings)
            if metric.kind == "info":
                info = InfoMetricFamily(name.removesuffix("_info"), metric.help)
                for labels in values:
                    info.add_metric([], dict(zip(metric.labels, labels, strict=True)))
                yield info
            elif metric.kind == "histogram":
                histogram = HistogramMetricFamily(name, metric.help, labels=metric.labels)
                for labels, durations in values.items():
                    assert isinstance(durations, Durations), "a histogram has no other values"
                    histogram.add_metric(labels, _buckets(durations), durations.total)
                yield histogram
            else:
                family = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
                plain = family(name, metric.help, labels=metric.labels)
                for labels, value in values.items():
                    assert not isinstance(value, Durations), "only a histogram has these"
                    plain.add_metric(labels, value)
                yield plain


class Exposition:
    """The metrics of one server and of its process, as text."""

    def __init__(self, readings: Readings) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(ServerCollector(readings))

    def render(self) -> bytes:
        """Return all metrics as they are now."""
        return generate_latest(self._registry)


# The readers of single metrics


def _one(read: Callable[[Readings], float]) -> Callable[[Readings], Mapping[Labels, float]]:
    """Return a reader for a metric without labels."""
    return lambda readings: {(): read(readings)}


def _by_word(read: Callable[[Figures], Mapping[str, float]]) -> Callable[[Readings], Mapping[Labels, float]]:
    """Return a reader for a metric with one label."""
    return lambda readings: {(word,): value for word, value in read(readings.figures).items()}


def _counted(*words: str) -> Callable[[Readings], Mapping[Labels, float]]:
    """Return a reader for the sum of counters of the server."""
    return _one(lambda readings: sum(readings.figures.counters[word] for word in words))


def _by_door(*words: str) -> Callable[[Readings], Mapping[Labels, float]]:
    """Return a reader for the sum of counters of the server, by door."""

    def read(figures: Figures) -> dict[str, float]:
        found = {door: sum(figures.counters[f"{word}: {door}"] for word in words) for door in (TELNET, TLS, WEB, OTHER)}
        if not found[OTHER]:  # most games have no links of their own
            del found[OTHER]
        return dict(found)

    return _by_word(read)


def _by_ending(readings: Readings) -> dict[Labels, float]:
    counters = readings.figures.counters
    return {(cause.reason.value, str(cause)): counters[f"{cause.reason.value}: {cause}"] for cause in Cause}


def _by_prefix(figures: Figures, prefix: str) -> dict[str, float]:
    """Return the counters that begin with a prefix, by the rest of their names."""
    return {
        word.removeprefix(prefix): count
        for word, count in figures.counters.items()
        if word.startswith(prefix) and count
    }


def _expiry(readings: Readings) -> dict[Labels, float]:
    ends = readings.expiry()
    return {} if ends is None else {(): ends}


def _buckets(durations: Durations) -> list[tuple[str, float]]:
    bounds = [*map(str, BOUNDS), "+Inf"]
    return list(zip(bounds, map(float, accumulate(durations.counts)), strict=True))


_FOREIGN: Final = tuple(protocol.value for protocol in ForeignProtocol if protocol is not ForeignProtocol.UNDECIDED)

CLUSTER: Final = (
    "messages for the world",
    "messages of the world",
    "messages for gateways",
    "messages of gateways",
    "silences of the world",
    "arrivals ignored",
    "frames of an earlier world",
    "frames of an earlier gateway",
    "frames of another incarnation",
    "frames not decoded",
    "messages failed",
    "messages not encoded",
    "unknown messages",
)

METRICS: Final[Mapping[str, MetricKind]] = {
    "trio_mud_build_info": MetricKind(
        "info",
        ("version", "python", "trio"),
        "Versions of the server.",
        lambda readings: {(__version__, platform.python_version(), trio.__version__): 1},
    ),
    "trio_mud_connections": MetricKind(
        "gauge",
        ("state",),
        "Connections in a handshake, at the door (waiting for the connect hook), playing, and ending.",
        _by_word(Figures.states),
    ),
    "trio_mud_sessions": MetricKind(
        "gauge", ("state",), "Sessions with a live link, and link-dead ones.", _by_word(Figures.sessions)
    ),
    "trio_mud_connections_accepted_total": MetricKind(
        "counter", ("door",), "Accepted connections, page requests and health checks included.", _by_door("accepted")
    ),
    "trio_mud_connections_admitted_total": MetricKind(
        "counter", ("door",), "Connections that the connect hook admitted.", _by_door("admitted")
    ),
    "trio_mud_handshakes_failed_total": MetricKind(
        "counter",
        ("door",),
        "Peers closed without an event: failed handshakes, health checks, over limits.accept_rate_per_address.",
        _by_door("handshakes failed", "health checks", "closed by rate"),
    ),
    "trio_mud_page_requests_total": MetricKind(
        "counter",
        ("code",),
        "Requests for pages at a web port, by the status of the answer.",
        _by_word(lambda figures: {"200": 0, "404": 0, **_by_prefix(figures, "answered with ")}),
    ),
    "trio_mud_disconnects_total": MetricKind(
        "counter", ("reason", "cause"), "Ended and refused connections.", _by_ending
    ),
    "trio_mud_strangers_total": MetricKind(
        "counter",
        ("kind",),
        "Peers of the telnet ports that spoke another protocol.",
        _by_word(lambda figures: {kind: figures.counters[f"foreign protocol: {kind}"] for kind in _FOREIGN}),
    ),
    "trio_mud_anomalies_total": MetricKind(
        "counter",
        ("kind",),
        "Violations of the telnet protocol by peers.",
        _by_word(lambda figures: {str(kind): figures.counters[f"anomaly: {kind}"] for kind in AnomalyKind}),
    ),
    "trio_mud_events_total": MetricKind("counter", ("event",), "Handled events.", _by_word(Figures.events)),
    "trio_mud_hook_failures_total": MetricKind(
        "counter",
        ("event",),
        "Functions of the game that raised or waited longer than limits.hook_timeout.",
        _by_word(lambda figures: _by_prefix(figures, "hooks failed: ")),
    ),
    "trio_mud_hook_duration_seconds": MetricKind(
        "histogram",
        ("event",),
        "Time from the first function of an event to the end of the last, waits included.",
        lambda readings: {(event,): durations for event, durations in readings.figures.durations.items()},
    ),
    "trio_mud_sources_ready": MetricKind(
        "gauge",
        (),
        "Connections, sessions and timers with an event that waits for its turn.",
        _one(lambda readings: readings.figures.ready),
    ),
    "trio_mud_posts_waiting": MetricKind(
        "gauge", (), "Events posted by the game that wait.", _one(lambda readings: readings.figures.posts)
    ),
    "trio_mud_timers": MetricKind(
        "gauge", (), "Timers and deadlines that are to come.", _one(lambda readings: readings.figures.timers)
    ),
    "trio_mud_received_bytes_total": MetricKind(
        "counter",
        ("door",),
        "Bytes from players after the handshake, decrypted and unframed.",
        _by_word(lambda figures: {door: figures.traffic[door].received for door in (TELNET, TLS, WEB)}),
    ),
    "trio_mud_sent_bytes_total": MetricKind(
        "counter",
        ("door",),
        "Bytes to players after the handshake, before encryption and framing.",
        _by_word(lambda figures: {door: figures.traffic[door].sent for door in (TELNET, TLS, WEB)}),
    ),
    "trio_mud_messages_dropped_total": MetricKind(
        "counter", (), "Messages dropped because a player reads too slowly.", _counted("messages dropped")
    ),
    "trio_mud_output_waiting_bytes": MetricKind(
        "gauge", (), "Bytes that players have not taken yet.", _one(lambda readings: readings.figures.output_waiting)
    ),
    "trio_mud_resumptions_total": MetricKind(
        "counter",
        ("outcome",),
        "Returns of clients by a token of GMCP Session: resumed, or refused.",
        _by_word(
            lambda figures: {
                "resumed": figures.counters["sessions resumed by token"],
                "refused": figures.counters["returns by token refused"],
            }
        ),
    ),
    "trio_mud_lines_replayed_total": MetricKind(
        "counter",
        ("outcome",),
        "Lines that returning clients had missed: replayed, or lost because limits.max_tail was too small.",
        _by_word(
            lambda figures: {
                "replayed": figures.counters["lines replayed"],
                "lost": figures.counters["lines lost"],
            }
        ),
    ),
    "trio_mud_cluster_total": MetricKind(
        "counter",
        ("what",),
        "Between a gateway and its world, each counted where it happens: messages, times that the world did not answer "
        "while input waited, and what was dropped or not understood.",
        _by_word(lambda figures: {what: figures.counters[what] for what in CLUSTER}),
    ),
    "trio_mud_loop_lag_seconds": MetricKind(
        "histogram",
        (),
        "Delay of a timer that is due ten times a second.",
        lambda readings: {(): readings.lag},
    ),
    "trio_mud_watchdog_stalls_total": MetricKind(
        "counter",
        (),
        "Times that one function blocked the event loop for limits.watchdog_timeout.",
        _counted("stood still"),
    ),
    "trio_mud_certificate_expiry_timestamp_seconds": MetricKind(
        "gauge", (), "When the certificate of the server ends, in seconds since 1970; absent without one.", _expiry
    ),
}
