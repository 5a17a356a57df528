"""An empty ledger with an image store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.adaptation.reviews.review_cases import Plant, create_ledger

from steelsight.ledger.images.store import ImageStore


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    folder = tmp_path / "plant"
    folder.mkdir()
    ledger = create_ledger(str(folder / "ledger.db"))
    made = Plant(folder, ledger, ImageStore(folder / "images"))
    with made.closing:
        yield made
    ledger.close()
