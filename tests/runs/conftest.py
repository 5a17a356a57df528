"""Runs are tested on the same small recipes and folders as training."""

from tests.training.conftest import _trained_before, data, folder, small, train_once

__all__ = ["_trained_before", "data", "folder", "small", "train_once"]
