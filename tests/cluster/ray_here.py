"""Ray on this machine, started once for all tests of a file; its workers find the modules of this folder."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

__all__ = ["ray_here"]

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    """Two cores of Ray, on loopback alone."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install 'steelsight[cluster]'")
    from steelsight.cluster.executor import ray_executor

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *filter(None, sys.path)]))
        with ray_executor("local"):
            yield
