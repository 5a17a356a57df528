"""Folders that Steelsight wrote are refused in place of images; images beside a result of ours are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from steelsight.errors import BadData, BadSource
from steelsight.explanations.sources import find_items
from steelsight.runs.plant.bench import bench_bundle
from steelsight.runtime.scan.sources import list_sources
from steelsight.service.station.folder import FolderSource
from steelsight.sheets.catalog import open_data
from steelsight.sheets.own_folders import OwnFolders

RUN = ("card.json", "model.safetensors", "metrics.json", "report.html")


def _write(root: Path, *names: str, listed: tuple[str, ...] = ()) -> Path:
    """Files of these names below a folder; images are images, JSON files list `listed` as theirs."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in {".png", ".jpg"}:
            Image.new("L", (8, 8)).save(path)
        else:
            path.write_text(json.dumps({"result_files": listed}))
    return root


def _own(root: Path) -> dict[str, Path]:
    """One folder of every kind that Steelsight writes, and parts of them, by what a message calls them."""
    run = _write(
        root / "run",
        *RUN,
        "figures/roc.png",
        "evaluations/DATA-test/figures/confusion.png",
        "explanations/a.png",
        "explanations/earlier/1/a.png",
        "shortcuts/prove-stain/figures/b.png",
    )
    look = ("look/data.html", "look/data.json", "look/examples.png")
    return {
        "a RUN folder": run,
        "RUN folder, a cross-validation": _write(root / "folds", "recipe.json", "metrics.json"),
        "a BUNDLE folder": _write(root / "bundle", "card.json", "model.onnx"),
        "results of a scan": _write(root / "scan", "scan.json", "figures/s.png"),
        "a report": _write(root, *look, listed=("examples.png",)) / "look",
        "a report, with runs": _write(
            root / "labels", "curve.html", "curve.json", *(f"share-0100/{n}" for n in RUN)
        ),
        "explanations of a run": _write(root / "ex", "explanations.json", "a.png", listed=("a.png",)),
        "run, a RUN folder": run / "figures",
        "run, a RUN folder ": run / "explanations",
        "run, a RUN folder  ": run / "explanations" / "earlier" / "1",
        "run, a RUN folder   ": run / "evaluations",
        "scan, results of a scan": root / "scan" / "figures",
    }


def test_every_folder_of_ours_is_refused_wherever_images_are_expected(tmp_path: Path) -> None:
    for what, folder in _own(tmp_path).items():
        said = what.partition(",")[0].strip() if "run, a RUN" not in what else "a part of .*run, a RUN folder"
        said = "a part of .*scan, results" if what.startswith("scan,") else said
        with pytest.raises(BadData, match=rf"expected a DATA folder, got .*{said}.*give the images"):
            open_data(folder)
        with pytest.raises(BadData, match=rf"expected an image or a folder of images, got .*{said}"):
            find_items([folder], None)
        with pytest.raises(BadSource, match=rf"archive, got .*{said}"):
            list_sources([folder])
        with pytest.raises(BadData, match=rf"expected a folder of images, got .*{said}"):
            bench_bundle(None, folder, rate=1.0)
        with pytest.raises(BadSource, match=rf"that the camera writes into, got .*{said}"):
            FolderSource(folder)


def test_figures_named_one_by_one_are_refused(tmp_path: Path) -> None:
    own = _own(tmp_path)
    for figure in (
        own["a RUN folder"] / "figures/roc.png",
        own["a report"] / "examples.png",
        own["explanations of a run"] / "a.png",
    ):
        with pytest.raises(BadData, match="whose pictures are no sheets"):
            find_items([figure], None)
        with pytest.raises(BadSource, match="whose pictures are no sheets"):
            list_sources([figure])


@pytest.mark.parametrize(
    "result",
    [
        ("scan.json", "figures/s.png", "verdicts/part.parquet"),
        ("data.html", "data.json", "examples.png"),
        ("explanations.json", "examples.png"),
        ("card.json", "model.safetensors", "figures/roc.png"),
    ],
    ids=["scan", "report", "explanations", "run"],
)
def test_a_folder_of_images_may_hold_a_result(tmp_path: Path, result: tuple[str, ...]) -> None:
    """`steelsight scan BUNDLE DATA --out DATA` does not make DATA unusable."""
    _write(tmp_path, *result, listed=("examples.png",))
    _write(tmp_path, "good/a.png", "bad/b.png")
    OwnFolders("a DATA folder", BadData).refuse(tmp_path)
    OwnFolders("a DATA folder", BadData).refuse(tmp_path / "good")


def test_a_flat_folder_of_images_with_a_report_stays_one(tmp_path: Path) -> None:
    _write(tmp_path, "data.html", "data.json", "examples.png", listed=("examples.png",))
    _write(tmp_path, "sheet.jpg")
    OwnFolders("images", BadData).refuse(tmp_path)
    OwnFolders("images", BadData).refuse(tmp_path / "sheet.jpg")
    with pytest.raises(BadData, match="a figure in a report"):
        OwnFolders("images", BadData).refuse(tmp_path / "examples.png")


def test_data_below_a_result_is_data(tmp_path: Path) -> None:
    _write(tmp_path, "scan.json", "sheets/good/a.png", "figures/s.png")
    OwnFolders("a DATA folder", BadData).refuse(tmp_path / "sheets")


def test_damaged_results_list_nothing(tmp_path: Path) -> None:
    _write(tmp_path, "data.html", "sheet.png")
    for files in ("[3, {}]", '"sheet.png"', "3", "null", "["):
        (tmp_path / "data.json").write_text(f'{{"result_files": {files}}}')
        OwnFolders("images", BadData).refuse(tmp_path)
