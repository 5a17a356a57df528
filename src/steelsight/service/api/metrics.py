"""Figures for Prometheus: requests, queue, and what stations and the service wrote into the ledger.

Labels are of fixed sets: methods, route templates, states, names of bundles and writers. Nothing that a
request carries becomes a label.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, select

from steelsight.errors import BadLedger
from steelsight.ledger.database import schema
from steelsight.ledger.writing.writer import now_us
from steelsight.runtime.certificate_check import FALSE_ALARM, CertificateMonitor, open_monitor
from steelsight.runtime.drift import Drift, class_shares, compare_statistics
from steelsight.service.api.middleware.edge import Finished
from steelsight.service.context import Service
from steelsight.service.judging.judges import Judges
from steelsight.types import State

__all__ = ["LedgerFigures", "RequestFigures"]

BUCKETS: Final = (0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # s
WINDOW: Final = 1000  # last live verdicts of a bundle that drift is computed from
MOST_ROWS: Final = 20_000  # read at one scrape; the next goes on from there


class RequestFigures:
    """Counts and times of requests, by route template."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "steelsight_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "steelsight_request_seconds",
            "Time until the whole answer was sent.",
            ("route",),
            buckets=BUCKETS,
            registry=registry,
        )

    def add(self, done: Finished) -> None:
        """Count one request."""
        self._requests.labels(done.method, done.route, str(done.status)).inc()
        self._seconds.labels(done.route).observe(done.seconds)


class LedgerFigures(Collector):
    """Figures of the ledger, read at each scrape from the entries that are new."""

    def __init__(self, service: Service, judges: Judges) -> None:
        self._service = service
        self._judges = judges
        self._lock = threading.Lock()
        self._heads: dict[str, int] | None = None  # by writer, the last verdict that was counted
        self._windows: dict[str, deque[tuple[str, str, float, float]]] = {}
        self._monitors: dict[str, CertificateMonitor | None] = {}  # by model id
        registry = service.metrics
        registry.register(self)  # before the counters, which it brings up to date
        self._sheets = Counter(
            "steelsight_sheets", "Live verdicts since the service began.", ("state",), registry=registry
        )
        self._latency = Histogram(
            "steelsight_sheet_seconds",
            "Time from a sheet's arrival to its verdict, of live verdicts.",
            buckets=BUCKETS,
            registry=registry,
        )
        for state in State:
            self._sheets.labels(state.value)

    def collect(self) -> Iterable[Metric]:
        """The figures of this moment; up = 0 where the ledger does not answer."""
        up = GaugeMetricFamily("steelsight_ledger_up", "Whether the ledger answers.")
        entries = GaugeMetricFamily(
            "steelsight_ledger_entries", "Entries of each writer.", labels=("writer",)
        )
        lag = GaugeMetricFamily(
            "steelsight_ledger_lag_seconds", "Time since a writer's last verdict.", labels=("writer",)
        )
        try:
            with self._lock, self._service.ledger.read() as connection:
                self._read(connection, entries, lag)
        except BadLedger:
            up.add_metric((), 0)
            return [up, *self._queues()]
        up.add_metric((), 1)
        return [up, entries, lag, *self._queues(), *self._drift()]

    def describe(self) -> Iterable[Metric]:
        """Nothing: the ledger is not read before the first scrape."""
        return []

    def drifts(self) -> dict[str, tuple[Drift, ...]]:
        """By model id, the last verdicts of each bundle against its calibration sheets; raises BadLedger."""
        self.refresh()
        found = {}
        for _, inspector in self._service.bundles:
            card = inspector.bundle.card
            rows = self._readable(card.model_id)
            found[card.model_id] = tuple(_compared(card, rows)) if rows else ()
        return found

    def void(self) -> frozenset[str]:
        """Model ids of the bundles whose certificate does not hold."""
        with self._lock:
            return frozenset(model for model, each in self._monitors.items() if each and each.result().void)

    def refresh(self) -> None:
        """Read the verdicts that are new; raises BadLedger."""
        entries = GaugeMetricFamily("entries", "", labels=("writer",))
        with self._lock, self._service.ledger.read() as connection:
            self._read(connection, entries, GaugeMetricFamily("lag", "", labels=("writer",)))

    def _readable(self, model: str) -> list[tuple[str, str, float, float]]:
        return [row for row in self._windows.get(model, ()) if row[0] != State.BAD_IMAGE.value]

    def _queues(self) -> Iterable[Metric]:
        depth = GaugeMetricFamily(
            "steelsight_queue_depth", "Images that wait or are judged by the API.", labels=("bundle",)
        )
        longest = GaugeMetricFamily("steelsight_queue_limit", "Most images in one queue.")
        longest.add_metric((), self._service.settings.queue)
        for model, each in self._judges.queues.items():
            depth.add_metric((model,), each.depth)
        return [depth, longest]

    def _read(self, connection: Connection, entries: GaugeMetricFamily, lag: GaugeMetricFamily) -> None:
        rows = connection.execute(select(schema.writers.c.name, schema.writers.c.seq)).all()
        if self._heads is None:
            self._heads = {row.name: row.seq for row in rows}
        for row in rows:
            entries.add_metric((row.name,), row.seq)
            self._count(connection, row.name)
            last = _last_us(connection, row.name)
            if last is not None:
                lag.add_metric((row.name,), max(0.0, (now_us() - last) / 1e6))

    def _count(self, connection: Connection, writer: str) -> None:
        """Count the verdicts of a writer that are new."""
        table, heads = schema.verdicts, self._heads or {}
        columns = (table.c.seq, table.c.mode, table.c.bundle, table.c.state, table.c.label)
        query = (
            select(*columns, table.c.probability, table.c.distance, table.c.latency_ms)
            .where(table.c.writer == writer, table.c.seq > heads.get(writer, 0))
            .order_by(table.c.seq)
            .limit(MOST_ROWS)
        )
        new: dict[str, list[tuple[float, float]]] = {}
        for row in connection.execute(query):
            heads[writer] = row.seq
            if row.mode != "live":
                continue
            self._sheets.labels(row.state).inc()
            if row.latency_ms is not None:
                self._latency.observe(row.latency_ms / 1000)
            window = self._windows.setdefault(row.bundle, deque(maxlen=WINDOW))
            nan = float("nan")
            probability = nan if row.probability is None else row.probability
            distance = nan if row.distance is None else row.distance
            window.append((row.state, row.label, probability, distance))
            if row.state != State.BAD_IMAGE.value:
                new.setdefault(row.bundle, []).append((probability, distance))
        for model, values in new.items():
            monitor = self._monitor(model)
            if monitor is not None:
                monitor.add(*np.array(values, dtype=np.float64).T)

    def _monitor(self, model: str) -> CertificateMonitor | None:
        """The monitor of a bundle's certificate; None = unknown bundle, or nothing that could be refuted."""
        if model not in self._monitors:
            inspector = self._service.bundles.find(model)
            if inspector is None:  # it may be opened later
                return None
            self._monitors[model] = open_monitor(inspector.bundle.card, repeated=True)
        return self._monitors[model]

    def _drift(self) -> Iterable[Metric]:
        drift = GaugeMetricFamily(
            "steelsight_drift",
            f"Difference of the last {WINDOW} verdicts from the calibration sheets, 0 = none.",
            labels=("bundle", "property"),
        )
        doubtful = GaugeMetricFamily(
            "steelsight_abstention_ratio",
            f"Share of the last {WINDOW} readable sheets that were not decided.",
            labels=("bundle",),
        )
        for _, inspector in self._service.bundles:
            card = inspector.bundle.card
            rows = self._readable(card.model_id)
            if not rows:
                continue
            open_ones = sum(row[0] != State.DECIDED.value for row in rows)
            doubtful.add_metric((card.model_id,), open_ones / len(rows))
            for each in _compared(card, rows):
                drift.add_metric((card.model_id, each.name), each.difference)
        return [drift, doubtful, self._void()]

    def _void(self) -> Metric:
        void = GaugeMetricFamily(
            "steelsight_certificate_void",
            "1 = the certificate does not hold for the verdicts since the service began "
            f"({FALSE_ALARM:.0%} false alarms over all scrapes); 0 confirms nothing.",
            labels=("bundle",),
        )
        for model, monitor in self._monitors.items():
            if monitor is not None:
                void.add_metric((model,), monitor.result().void)
        return void


def _compared(card: Any, rows: Sequence[tuple[str, str, float, float]]) -> Sequence[Drift]:
    if card.usual is None:
        return []
    none = np.zeros(0)
    found = {
        "gray_mean": none,
        "gray_spread": none,
        "confidence": np.array([row[2] for row in rows]),
        "distance": np.array([row[3] for row in rows]),
    }
    shares = class_shares([row[1] for row in rows], card.class_names)
    return compare_statistics(card.usual, found, shares, card.class_names)


def _last_us(connection: Connection, writer: str) -> int | None:
    table = schema.verdicts
    query = select(table.c.entered_us).where(table.c.writer == writer).order_by(table.c.seq.desc()).limit(1)
    found: int | None = connection.execute(query).scalar_one_or_none()
    return found
