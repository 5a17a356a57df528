"""What every request works with; the app keeps it at `app.state.service`."""

from __future__ import annotations

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from steelsight.ledger.database.open import Ledger
from steelsight.ledger.images.store import ImageStore
from steelsight.service.bundles import Bundles
from steelsight.service.console import SharedWriter
from steelsight.service.settings.load import Settings
from steelsight.service.shown_recommendations import ShownRecommendations

__all__ = ["Service"]


@dataclass(frozen=True, eq=False)
class Service:
    """The parts of a running service; safe to share between threads."""

    ledger: Ledger
    console: SharedWriter  # the service's own chain
    images: ImageStore | None  # None = no images are kept here
    bundles: Bundles
    settings: Settings
    recommended: ShownRecommendations = field(default_factory=ShownRecommendations)
    metrics: CollectorRegistry = field(default_factory=lambda: CollectorRegistry(auto_describe=True))

    def close(self) -> None:
        """Give the console's name back and close the ledger."""
        self.console.close()
        self.ledger.close()
