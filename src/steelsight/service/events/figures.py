"""Figures of streams and deliveries for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from steelsight.errors import BadLedger
from steelsight.ledger.reading.tail import read_heads
from steelsight.ledger.writing.writer import now_us
from steelsight.service.events.hub import Hub
from steelsight.service.events.outbox.destinations import ACTIVE, list_destinations, stored_cursor
from steelsight.service.events.outbox.worker import Delivery

__all__ = ["EventFigures"]

LABELS = ("destination",)  # its id: at most a hundred


class EventFigures(Collector):
    """Open streams; of each destination how far it is behind and whether it fails. Read at each scrape."""

    def __init__(self, registry: CollectorRegistry, hub: Hub, delivery: Delivery) -> None:
        self._hub = hub
        self._delivery = delivery
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """The figures of this moment; those of destinations are left out where the ledger does not answer."""
        streams = GaugeMetricFamily("steelsight_event_streams", "Event streams that are open.")
        streams.add_metric((), self._hub.streams)
        behind = GaugeMetricFamily(
            "steelsight_delivery_behind_entries", "Entries that were not delivered yet.", labels=LABELS
        )
        failing = GaugeMetricFamily(
            "steelsight_delivery_failing_seconds",
            "Time since which it fails; 0 = it does not.",
            labels=LABELS,
        )
        active = GaugeMetricFamily("steelsight_delivery_active", "0 = paused.", labels=LABELS)
        delivered = CounterMetricFamily(
            "steelsight_delivered_messages", "Messages that were accepted.", labels=LABELS
        )
        try:
            with self._delivery.ledger.read() as connection:
                heads = read_heads(connection)
                for each in list_destinations(connection):
                    behind.add_metric((each.id,), stored_cursor(connection, each).behind(heads))
                    since = each.failing_since_us
                    failing.add_metric((each.id,), 0.0 if since is None else (now_us() - since) / 1e6)
                    active.add_metric((each.id,), each.state == ACTIVE)
                    delivered.add_metric((each.id,), each.delivered)
        except BadLedger:
            return [streams]
        return [streams, behind, failing, active, delivered]

    def describe(self) -> Iterable[Metric]:
        """Nothing: the ledger is not read before the first scrape."""
        return []
