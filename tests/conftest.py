"""Fixtures shared by every room, and run-time checking of the array annotations of the whole package."""

import datetime
import functools
import importlib.util
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.testing
from hypothesis import HealthCheck, settings
from tests.annotations import check_annotations
from tests.databases import (
    address,
    cluster,
    database,
    ledger,
    postgresql_template,
    sqlite_ledger,
    sqlite_template,
)

__all__ = [
    "address",
    "cluster",
    "database",
    "ledger",
    "postgresql_template",
    "sqlite_ledger",
    "sqlite_template",
]

check_annotations("steelsight")

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
    *("api", "deploy", "explanations", "inspection", "long", "models", "runs", "shortcuts", "site", "study"),
    "training",
    *("cli/explain", "cli/lab", "cli/shortcuts", "cli/test_extras.py", "cli/test_study.py"),
    *("cli/plant/test_export.py", "cli/plant/test_scan.py", "runtime/engine/test_inspector.py"),
    *("test_doctests.py", "test_documentation.py", "test_files.py"),
)
collect_ignore = list(_OF_THE_LAB) if importlib.util.find_spec("torch") is None else []


_SHARING = ("tests/study/", "tests/cluster/")  # the tests of each folder share one report, or one cluster


def _of_study(nodeid: str) -> bool:
    return "tests/study/" in nodeid


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The study's tests come first: they are the longest group; other files fill up the second worker."""
    items.sort(key=lambda item: not _of_study(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`: a file's tests share a worker, and so do those of a folder in _SHARING.

    A hook, because `--dist loadgroup` of xdist 3.8 has no effect with pytest 9.2: it renames tests by a field
    that is no longer read.
    """
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            shared = (folder for folder in _SHARING if folder in nodeid)
            return next(shared, None) or super()._split_scope(nodeid)

    return Scheduling(config, log)


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
        if importlib.util.find_spec("sqlalchemy") is not None:
            from steelsight.ledger.database.connect import PRAGMAS

            patch.setitem(PRAGMAS, "synchronous", ("OFF", 0))  # SQLite waits by itself
        yield


@pytest.fixture(autouse=True, scope="session")
def _commands_made_once() -> Iterator[None]:
    """Typer makes all commands anew for every call of a `CliRunner`, which takes a tenth of a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", functools.cache(typer.testing._get_command))
        yield


@pytest.fixture(autouse=True, scope="session")
def _graphs_checked_once() -> Iterator[None]:
    """Most bundles of tests hold one of a few graphs; the check looks at nothing but their bytes."""
    from steelsight.errors import BadBundle
    from steelsight.runtime.bundle import open as module
    from steelsight.runtime.bundle.graph.check import CheckedGraph, check_graph

    known = functools.lru_cache(maxsize=16)(lambda content: check_graph(content, ""))

    def check(content: bytes, where: str) -> CheckedGraph:
        try:
            return known(content)
        except BadBundle:
            return check_graph(content, where)  # whose message names the file

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "check_graph", check)
        yield


@pytest.fixture
def record_attack() -> Callable[..., None]:
    """Keep one row of docs/results/hardening.md: an attack, how many cases were tried, and their outcome."""

    def record(area: str, attack: str, cases: int, outcome: str) -> None:
        folder = Path(__file__).parents[1] / "build" / "hardening"
        folder.mkdir(parents=True, exist_ok=True)
        row = {"area": area, "attack": attack, "cases": cases, "outcome": outcome}
        name = re.sub(r"[^a-z0-9]+", "-", f"{area} {attack}".lower()).strip("-")
        today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
        (folder / f"{name[:120]}.json").write_text(json.dumps(row | {"date": today}))

    return record
