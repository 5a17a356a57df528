"""A small bundle, the package's own, and sheets."""

import numpy as np
import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra [serve]")

from PIL import Image
from tests.runtime.conftest import graph_bytes, make_bundle

from steelsight.runtime.bundle.default import default_bundle
from steelsight.runtime.engine.inspector import Inspector, load

__all__ = ["graph_bytes", "make_bundle"]


@pytest.fixture(scope="session")
def packaged() -> Inspector:
    """The package's own bundle, opened once."""
    return load(default_bundle(), threads=1)


@pytest.fixture
def inspector(make_bundle):
    return load(make_bundle(), threads=1)


def draw_sheet(path, number):
    """A sheet whose pixels depend on its number alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(number)
    gray = rng.normal(110, 25, (96, 160))
    gray[10:60, 20 : 60 + 10 * (number % 5)] += 90 if number % 2 else -90
    Image.fromarray(np.clip(gray, 0, 255).astype(np.uint8)).save(path, quality=90)
    return path
