"""Fixtures shared by every room, and run-time checking of the array annotations of the whole package."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

_hook = install_import_hook("steelsight", "beartype.beartype")

# No property test asserts a time: no deadline for one example and no health check of slow inputs, so that a
# busy machine cannot fail one. CI draws the same examples in every run, as Hypothesis does there by default.
settings.register_profile(
    "steelsight",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("steelsight")

# Without torch (`make test-plant`) only the plant's rooms are tested: nothing trains or opens a checkpoint.
_OF_THE_LAB = (
    *("deploy", "explanations", "inspection", "long", "models", "runs", "shortcuts", "study", "training"),
    *("cli/explain", "cli/lab", "cli/shortcuts", "cli/test_extras.py", "cli/test_study.py"),
    *("cli/plant/test_export.py", "cli/plant/test_scan.py", "runtime/engine/test_inspector.py"),
    *("test_doctests.py", "test_documentation.py", "test_files.py"),
)
collect_ignore = list(_OF_THE_LAB) if importlib.util.find_spec("torch") is None else []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups for `--dist loadgroup`: a file's tests share its fixtures, the study's tests share one report.

    The study's tests come first: they are the largest group, and the other files fill up the second worker.
    """

    def group(item: pytest.Item) -> str:
        of_study = "tiny_report" in getattr(item, "fixturenames", ())
        return "study" if of_study else item.path.relative_to(Path(__file__).parent).as_posix()

    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))
    items.sort(key=lambda item: group(item) != "study")


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
    if importlib.util.find_spec("torch") is not None:
        import torch

        torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _no_wait_for_the_disk() -> Iterator[None]:
    """Files are written and renamed as ever; no test loses power, so none waits for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield
