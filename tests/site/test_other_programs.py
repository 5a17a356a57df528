"""The page on other programs: ten lines give the bundle's own answers, and every column is named."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.site.blocks import blocks

from steelsight.runtime.bundle.default import BUNDLES
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.engine.engine import open_engine
from steelsight.runtime.scan.parts import PartRows
from steelsight.sheets.images.pixels import read_sheet
from steelsight.sheets.synthetic.spec import synth_spec
from steelsight.sheets.synthetic.writer import write_sheets

PAGE = (Path(__file__).parents[2] / "docs/guides/other-programs.md").read_text(encoding="utf-8")
LINES = next(each.text for each in blocks(PAGE) if "onnxruntime.InferenceSession" in each.text)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The bundle and the sheets that the page names, larger than the input of the network."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    write_sheets(synth_spec(count=4, seed=3, height=128, width=800), tmp_path / "drawn", workers=1)
    shutil.copytree(BUNDLES["fast"], tmp_path / "bundle")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_ten_lines_read_a_bundle_in_onnx_runtime(folder: Path) -> None:
    assert len(LINES.splitlines()) <= 11  # one of them is empty
    assert "steelsight" not in LINES
    names: dict[str, Any] = {}
    exec(LINES, names)
    bundle = open_bundle(folder / "bundle")
    sheet = read_sheet(folder / "drawn/train_images/synth_000000.jpg", bundle.card.input)
    wanted = open_engine(bundle, "onnxruntime", precision="f32", threads=1)(sheet[None])
    assert np.array_equal(names["gray"], sheet)  # 128x800, decoded at half the size
    assert names["logits"] == pytest.approx(wanted.logits, rel=1e-4, abs=1e-4)
    assert names["logits"].argmax() == wanted.logits.argmax()
    assert [each.shape for each in (names["maps"], names["embedding"])] == [
        wanted.maps.shape,
        wanted.embedding.shape,
    ]


def test_of_a_png_file_only_the_rounding_differs(folder: Path) -> None:
    path = folder / "drawn/train_images/synth_000000.jpg"
    Image.open(path).convert("L").save(path.with_suffix(".png"))
    names: dict[str, Any] = {}
    exec(LINES.replace("synth_000000.jpg", "synth_000000.png"), names)
    bundle = open_bundle(folder / "bundle")
    sheet = read_sheet(path.with_suffix(".png"), bundle.card.input)
    assert np.abs(names["gray"].astype(int) - sheet).max() <= 1  # Pillow's resize rounds twice
    wanted = open_engine(bundle, "onnxruntime", precision="f32", threads=1)(sheet[None])
    assert names["logits"] == pytest.approx(wanted.logits, abs=0.3)


def columns_named(title: str) -> set[str]:
    """The names in the first column of the table below a title."""
    table = PAGE.partition(f"| column of `{title}` |")[2].partition("\n\n")[0]
    cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_every_column_of_a_scan_is_on_the_page() -> None:
    schema = PartRows(open_bundle(BUNDLES["fast"]).card, "", heatmaps=False).schema(0)
    assert columns_named("verdicts/") == set(schema.names)


def test_every_column_of_predictions_is_on_the_page(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    from steelsight.sheets.labels import label_sheets
    from steelsight.training.dataset import SheetData
    from steelsight.training.records import write_predictions
    from steelsight.types import InputSpec, SheetItem

    items = (SheetItem("a.png", Path(), (), "class"),)
    labelled = label_sheets(items, "multiclass", ("none", "bar"), keep_multi_type=False)
    images = np.zeros((1, 1, 1), dtype=np.uint8)
    data = SheetData("d", items, images, labelled, "multiclass", InputSpec(), "0", (), ("none", "bar"))
    scores = np.zeros((1, 2), dtype=np.float32)
    write_predictions(tmp_path / "p.parquet", data, ["test"], ["none"], scores.astype(np.float64), scores)
    assert columns_named("predictions.parquet") == set(pq.read_schema(tmp_path / "p.parquet").names)
