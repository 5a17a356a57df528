"""Several classes without a defect-free one: no output, row, column, bar or sentence is for such a class."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tests.cli.test_contract import verbs
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.errors import BadInput
from steelsight.models.card import Card
from steelsight.models.checkpoint import load_checkpoint
from steelsight.reports.figures.style import CLASS_COLOURS, class_colours
from steelsight.runs.abstention.calibrate import calibrate_run
from steelsight.runs.abstention.options import CalibrationOptions
from steelsight.runtime.bundle.card import BundleCard
from steelsight.training.dataset import open_sheets
from steelsight.types import InputSpec

TYPES = ("bar", "block", "ring")
SETTINGS = ("model.name=adhoc", "height=48", "width=128", "batch_size=8", "threads=1", "precision=fp32")
LEARNS = ("learning_rate=0.003",)  # in 30 epochs: most types are told apart, as `shortcuts prove` needs
TRAINED = [part for setting in (*SETTINGS, *LEARNS) for part in ("--set", setting)] + ["--epochs", "2"]
ABSENT = (
    "method",
    "pretrained",
    "threshold_by",
    "head",
    "which",
    "the donor's, up to",
)  # keys: nothing of it
WORDS = re.compile(r"\bnone\b", re.IGNORECASE)


def _draw(gray: np.ndarray, kind: str, top: int, left: int) -> np.ndarray:
    mask = np.zeros(gray.shape, dtype=np.uint8)
    size = {"bar": (20, 5), "block": (12, 16), "ring": (14, 14)}.get(kind)
    if size is None:
        return mask
    gray[top : top + size[0], left : left + size[1]] = {"bar": 240, "block": 15, "ring": 190}[kind]
    mask[top : top + size[0], left : left + size[1]] = 255
    return mask


def draw_data(root: Path, classes: tuple[str, ...], *, each: int = 14, seed: int = 0) -> Path:
    """A folder of classes with masks beside the images, `ok_front` without a defect."""
    rng = np.random.default_rng(seed)
    for kind in classes:
        (root / kind).mkdir(parents=True)
        for number in range(each):
            gray = np.clip(rng.normal(110, 12, (48, 128)), 0, 255)
            mask = _draw(gray, kind, int(rng.integers(2, 26)), int(rng.integers(2, 110)))
            Image.fromarray(gray.astype(np.uint8)).save(root / kind / f"{kind}{number}.png")
            if mask.any():
                Image.fromarray(mask).save(root / kind / f"{kind}{number}_mask.png")
    return root


def call(*arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert result.exit_code == code, result.output
    return result.output


def every_verb(run: Path, other: Path, data: Path, out: Path) -> dict[str, list[str | Path]]:
    """Arguments of every verb that opens a RUN, as short as they can be."""
    image = data / "bar" / "bar0.png"
    suspect = ["--nuisance", "stain", "--suspect", "block"]
    return {
        "evaluate": ["evaluate", run, data],
        "explain": ["explain", run, image, "--data", data],
        "explain --errors": ["explain", run, data, "--errors", "--split", "unseen"],
        "calibrate": ["calibrate", run, data, "--split", "unseen", "--risk", ".4"],
        "compare": ["compare", run, other, "--data", data, "--out", out / "compare"],
        "confidence": ["confidence", run, data],
        "robustness": ["robustness", run, data, "--limit", "6"],
        "league": ["league", run, data, "--methods", "gradcam,deepshap"],
        "inspect layers": ["inspect", "layers", run, data, "--controls", "random", "--tsne", "20"],
        "inspect neurons": [
            "inspect",
            "neurons",
            run,
            data,
            "--count",
            "1",
            "--steps",
            "2",
            "--form",
            "plain",
        ],
        "inspect transplant": ["inspect", "transplant", run, other, data, "--split", "unseen"],
        "shortcuts find": ["shortcuts", "find", run, data],
        "shortcuts prove": ["shortcuts", "prove", run, data, *suspect],
        "export": ["export", run, "--data", data, "--out", out / "bundle", "--precision", "f32"],
    }


def reports(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in {".html", ".json", ".csv", ".md"} and path.name != "recipe.json":
                yield path


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two runs on three classes of defects, and what every verb writes about the first."""
    root = tmp_path_factory.mktemp("defects")
    data = draw_data(root / "parts", TYPES)
    runs = [root / "run", root / "other"]
    for epochs, run in zip((30, 2), runs, strict=True):
        call("train", data, "--task", "multiclass", "--out", run, *TRAINED, "--epochs", str(epochs))
    for arguments in every_verb(*runs, data, root / "out").values():
        call(*arguments)
    call("scan", root / "out" / "bundle", data / "bar", "--out", root / "out" / "scan")
    return {"root": root, "data": data, "run": runs[0], "out": root / "out"}


def test_every_verb_that_opens_a_run_was_called() -> None:
    called = {" ".join(name.split(" --")[:1]) for name in every_verb(Path(), Path(), Path(), Path())}
    opening = {
        name for name, verb in verbs().items() if any(each.name in {"run", "runs"} for each in verb.params)
    }
    assert opening - called == {"shortcuts gate", "shortcuts repair"}  # prove opens the run for both


def test_the_outputs_are_the_defect_types(done: dict[str, Path]) -> None:
    card = load_checkpoint(done["run"])[1]
    assert card.class_names == TYPES
    assert card.defect_free_class is None
    assert card.clean is None
    assert card.model.outputs == len(TYPES)


def test_metrics_have_one_row_and_column_a_type(done: dict[str, Path]) -> None:
    metrics = json.loads((done["run"] / "metrics.json").read_text())
    report = metrics["test"]
    assert [entry["name"] for entry in report["classes"]] == list(TYPES)
    assert np.array(report["confusion"]).shape == (len(TYPES), len(TYPES))
    assert report["places"] is None
    assert "defect_auc" not in report
    assert metrics["operating_point"] is None
    assert "calls no sheet defect-free" in metrics["notes"][0]


def test_no_page_or_table_speaks_of_such_a_class(done: dict[str, Path]) -> None:
    """Class names are cells, keys or names in sentences; `none` otherwise says that something is absent."""
    found = {}
    for path in reports(done["run"], done["out"]):
        text = path.read_text(encoding="utf-8", errors="replace")
        text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
        text = re.sub(r'src="data:[^"]*"', "", text)
        text = re.sub(rf'"({"|".join(ABSENT)})": "none"', "", text)
        text = re.sub(r"none, every sheet counts on its own|>none<(?=/dd|/td)", "", text)
        hits = [text[max(0, hit.start() - 60) : hit.end() + 40] for hit in WORDS.finditer(text)]
        hits = [hit for hit in hits if re.search(r'["\'>(|,]\s*none\s*["\'<)|,]', hit)]
        if hits:
            found[str(path.relative_to(done["root"]))] = hits[:3]
    assert found == {}


def test_verdicts_of_a_scan_are_types(done: dict[str, Path]) -> None:
    card = json.loads((done["out"] / "bundle" / "card.json").read_text())
    assert card["class_names"] == list(TYPES)
    assert card["defect_free_class"] is None
    tables = [
        path for path in (done["out"] / "scan").rglob("*.parquet") if "label" in pq.read_schema(path).names
    ]
    labels = {label for path in tables for label in pq.read_table(path)["label"].to_pylist()}
    assert labels
    assert labels <= set(TYPES)


def test_a_scan_locates_the_first_type_too(done: dict[str, Path]) -> None:
    """Output 0 is a defect type, so its map is thresholded like those of the others."""
    import steelsight
    from steelsight.runtime.bundle.open import open_bundle
    from steelsight.runtime.engine.engine import Outputs, decide

    bundle = open_bundle(done["out"] / "bundle")
    outputs = Outputs(
        np.eye(3, dtype=np.float32) * 9,
        np.zeros((3, 3, 2, 2), dtype=np.float32),
        np.zeros((3, bundle.card.graph.embedding), dtype=np.float32),
    )
    decided = decide(outputs, bundle.card, None)
    assert decided.classes == ((0,), (1,), (2,))
    assert decided.labels == TYPES
    assert steelsight.load(done["out"] / "bundle").inspect(done["data"] / "bar" / "bar0.png").label in TYPES


def test_splits_name_the_types(done: dict[str, Path]) -> None:
    with (done["run"] / "splits.csv").open() as file:
        assert {row["label"] for row in csv.DictReader(file)} == set(TYPES)


def test_no_defect_type_has_the_defect_free_colour() -> None:
    assert CLASS_COLOURS[0] in class_colours(3, 0)
    assert CLASS_COLOURS[0] not in class_colours(3, None)
    assert class_colours(4, 0)[1:] == class_colours(3, None)


def test_prices_of_escapes_need_a_defect_free_class(done: dict[str, Path]) -> None:
    options = CalibrationOptions(escape_price=10.0, overkill_price=1.0, review_price=0.1)
    with pytest.raises(BadInput, match="expected a model with a defect-free class for the prices"):
        calibrate_run(done["run"], done["data"], options)


def test_a_stain_needs_the_suspected_class(done: dict[str, Path]) -> None:
    output = call("shortcuts", "prove", done["run"], done["data"], "--nuisance", "stain", code=2)
    assert "the model has no defect-free class" in output
    assert "--suspect: bar, block, ring" in " ".join(output.split())


def test_a_run_with_such_a_class_may_be_evaluated_on_defects_alone(
    tmp_path: Path, done: dict[str, Path]
) -> None:
    data = draw_data(tmp_path / "all", ("ok_front", "bar", "block", "ring"), seed=3)
    call("train", data, "--task", "multiclass", "--out", tmp_path / "run", *TRAINED)
    call("evaluate", tmp_path / "run", done["data"], "--out", tmp_path / "report")
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert metrics["class_names"] == ["ok_front", *TYPES]
    output = call("evaluate", done["run"], data, code=2)
    assert "got ok_front" in output


def test_a_binary_task_stays_refused(done: dict[str, Path], tmp_path: Path) -> None:
    output = call("train", done["data"], "--out", tmp_path / "run", *TRAINED, code=2)
    assert "found only defective ones" in " ".join(output.split())
    assert not (tmp_path / "run").exists()


def test_cards_of_older_versions_have_a_defect_free_class(done: dict[str, Path], tmp_path: Path) -> None:
    run = json.loads((done["run"] / "card.json").read_text())
    bundle = json.loads((done["out"] / "bundle" / "card.json").read_text())
    for older, kind in ((run, Card), (bundle, BundleCard)):
        del older["defect_free_class"]
        assert kind.model_validate(older).clean == 0


def test_an_older_run_trained_without_defect_free_sheets_is_read(
    done: dict[str, Path], tmp_path: Path
) -> None:
    """It has an output none that no sheet belongs to."""
    data = draw_data(tmp_path / "all", ("none", *TYPES), seed=4)
    call("train", data, "--task", "multiclass", "--out", tmp_path / "run", *TRAINED)
    shutil.rmtree(data / "none")
    call("evaluate", tmp_path / "run", data, "--split", "test", "--out", tmp_path / "report")
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert metrics["class_names"] == ["none", *TYPES]


@pytest.mark.parametrize("task", ["multiclass", "binary", "multilabel"])
def test_labels_follow_from_whether_a_sheet_is_defect_free(tmp_path: Path, task: str) -> None:
    spec = InputSpec(48, 128)
    with_free = open_sheets(draw_data(tmp_path / "a", ("ok_front", "bar", "block")), task, spec)  # type: ignore[arg-type]
    without = open_sheets(draw_data(tmp_path / "b", ("bar", "block")), task, spec)  # type: ignore[arg-type]
    assert with_free.labelled.clean_name == "ok_front"
    assert with_free.labelled.defective == tuple(bool(item.types) for item in with_free.items)
    assert without.labelled.defective == (True,) * len(without.items)
    expected = {"multiclass": ("bar", "block"), "binary": ("none", "defect"), "multilabel": ("bar", "block")}
    assert without.labelled.class_names == expected[task]
