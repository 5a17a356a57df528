"""Runs are tested on the same small recipes and folders as training."""

from tests.training.conftest import folder, lesson, small

__all__ = ["folder", "lesson", "small"]
