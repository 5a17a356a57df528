"""Runs are tested on the same small recipes and folders as training."""

from tests.training.conftest import data, folder, small

__all__ = ["data", "folder", "small"]
