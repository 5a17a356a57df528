"""Fixtures of the sheets that shortcuts are searched on."""

from tests.counterfactuals.conftest import draw

__all__ = ["draw"]
