"""Sixty generated sheets, and one small run that all tests of the API share; docs/api.md trains it too."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import pytest
from tests.adaptation.conftest import make_bundle, make_data

import steelsight as ss
from steelsight.sheets.synthetic import synth_spec, write_sheets

__all__ = ["SETTINGS", "make_bundle", "make_data"]

SETTINGS: Final[dict[str, Any]] = {
    "task": "multiclass",
    "model__name": "squeezenet_reduced",
    "model__pretrained": "steel",
    "height": 32,
    "width": 200,
    "max_epochs": 2,
    "split__method": "stratified",
    "threads": 1,
}


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DATA: sixty sheets of five classes, with masks and stains."""
    spec = synth_spec(
        count=60,
        seed=11,
        height=64,
        width=400,
        class_shares=(0.4, 0.15, 0.15, 0.15, 0.15),
        stain_given_none=0.3,
    )
    return write_sheets(spec, tmp_path_factory.mktemp("api") / "DATA", workers=1)


@pytest.fixture(scope="session")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> ss.Run:
    """A run that no test changes."""
    return ss.train(data, out=tmp_path_factory.mktemp("trained") / "run", **SETTINGS)


@pytest.fixture
def run(trained: ss.Run, tmp_path: Path) -> ss.Run:
    """A copy of it, to be changed."""
    return ss.Run(Path(shutil.copytree(trained.folder, tmp_path / "run")))


@pytest.fixture(scope="session")
def exported(trained: ss.Run, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The run as a bundle."""
    return trained.export(data, tmp_path_factory.mktemp("exported") / "bundle", precision="f32")
