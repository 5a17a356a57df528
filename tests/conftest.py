"""Fixtures shared by every room, and run-time checking of the array annotations of the whole package."""

import os
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import install_import_hook

_hook = install_import_hook("steelsight", "beartype.beartype")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _folder_from(variable: str) -> Path:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set: it names the folder this test reads")
    return Path(value)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder with severstal/ and magnetic_tile/."""
    return _folder_from("STEELSIGHT_DATA")


@pytest.fixture(scope="session")
def weights_root() -> Path:
    """The folder with squeezenet1_1_imagenet.safetensors."""
    return _folder_from("STEELSIGHT_WEIGHTS")


@pytest.fixture(autouse=True, scope="session")
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["STEELSIGHT_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True, scope="session")
def _one_thread_a_worker() -> None:
    """Test workers share the cores; oversubscribed threads make a suite several times slower."""
    try:
        import torch
    except ModuleNotFoundError:  # the plant's tests run without the lab
        return
    torch.set_num_threads(1)
