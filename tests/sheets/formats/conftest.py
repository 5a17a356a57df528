"""The drawings of benchmarks/, which draw inputs so that their table can be written without tests."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))


@pytest.fixture(scope="session")
def inputs() -> Any:
    """The module that draws annotated folders."""
    return importlib.import_module("input_annotations")
