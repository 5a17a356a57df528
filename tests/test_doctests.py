"""Examples in docstrings are promises: every one runs, in every module of the package."""

import doctest
import importlib
import pkgutil

import pytest

import steelsight

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(steelsight.__path__, "steelsight.")
    if not module.name.endswith(("__main__", "migrations.env"))  # Alembic runs the latter
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.failed == 0


def test_examples_are_found():
    """A parser that finds nothing would pass the test above for ever."""
    from steelsight.evaluation import confusion

    assert doctest.testmod(confusion).attempted >= 6
