"""Repair of a run trained on planted stains: files, figures, choice, resuming; and refused inputs."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import nn
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.counterfactuals.pasting import counterfactual, removal
from steelsight.errors import BadData, BadInput
from steelsight.models.checkpoint import load_checkpoint
from steelsight.sheets.synthetic import synth_spec, write_sheets
from steelsight.shortcuts.prove.options import ProofOptions
from steelsight.shortcuts.prove.run import prove_run
from steelsight.shortcuts.repair import evaluate, methods_run
from steelsight.shortcuts.repair.evaluate import RepairEvaluation
from steelsight.shortcuts.repair.methods_run import NOTHING_DONE
from steelsight.shortcuts.repair.options import RepairOptions
from steelsight.shortcuts.repair.run import NUMBERS, PAGE, RepairReport, repair_run
from steelsight.training.recipe_files import load_recipe
from steelsight.training.run import load_run, train_run

SMALL = (
    "model.name=squeezenet_reduced",
    "model.pretrained=none",
    "height=64",
    "width=160",
    "batch_size=8",
    "max_epochs=2",
    "threads=1",
    "precision=fp32",
    "learning_rate=2e-3",
    "split.method=stratified",
)
COUNT = 110
OPTIONS = RepairOptions(epochs=1, limit=20, seed=3)


@pytest.fixture(autouse=True, scope="module")
def _few_resamples() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (counterfactual, removal, evaluate):
            patch.setattr(module, "RESAMPLES", 200)
        yield


@pytest.fixture(scope="module")
def evaluations() -> Callable[..., RepairEvaluation]:
    """`evaluate_repair` on the same sheets, once for each model."""
    kept: dict[tuple[float, ...], RepairEvaluation] = {}

    def evaluated(model: nn.Module, *arguments: Any, **options: Any) -> RepairEvaluation:
        weights = tuple(float(each.detach().sum()) for each in model.parameters())
        if weights not in kept:
            kept[weights] = evaluate.evaluate_repair(model, *arguments, **options)
        return kept[weights]

    return evaluated


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """RUN and DATA: most sheets without a defect have a stain, few others have."""
    root = tmp_path_factory.mktemp("planted")
    spec = synth_spec(
        count=COUNT,
        seed=5,
        height=64,
        width=160,
        class_shares=(0.5, 0.1, 0.1, 0.2, 0.1),
        stain_given_none=0.7,
        stain_given_defect=0.1,
    )
    write_sheets(spec, root / "DATA", workers=1)
    train_run(root / "DATA", recipe=load_recipe("default", SMALL), out=root / "RUN", seed=1)
    return root / "RUN", root / "DATA"


@pytest.fixture(scope="module")
def repaired(planted: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> RepairReport:
    run, data = planted
    return repair_run(run, data, "stain", OPTIONS, out=tmp_path_factory.mktemp("repair"))


def test_every_method_leaves_a_run_whose_card_describes_the_repair(
    planted: tuple[Path, Path], repaired: RepairReport
) -> None:
    own = load_checkpoint(planted[0])[1]
    names = [each.name for each in repaired.repair.after]
    assert sorted([*names, *repaired.repair.impossible]) == [
        "balance",
        "dro",
        "last_layer",
        "paste",
        "reasons",
    ]
    assert len(names) >= 3
    for each in repaired.repair.after:
        assert each.run is not None
        card = load_checkpoint(each.run)[1]
        assert card.repair["cure"] == each.name
        assert card.repair["run_weights_sha256"] == own.weights_sha256
        assert card.weights_sha256 != own.weights_sha256
        assert card.mask_supervised == (each.name == "reasons")
        assert load_run(each.run).metrics["repair"] == card.repair


@pytest.mark.parametrize(
    ("shares", "chosen"),
    [
        ((0.5, 0.6, 0.4), 0),
        ((0.5, 0.4, 0.6), 1),
        ((0.5, 0.6, 0.6), 0),  # the first of equal methods
        ((0.5, 0.5, 0.4), None),  # no method is better than the unchanged run
        ((0.5, 0.1, 0.2), None),
    ],
)
def test_the_best_method_on_validation_sheets_is_chosen(
    planted: tuple[Path, Path],
    repaired: RepairReport,
    evaluations: Callable[..., RepairEvaluation],
    monkeypatch: pytest.MonkeyPatch,
    shares: tuple[float, float, float],
    chosen: int | None,
) -> None:
    names = tuple(each.name for each in repaired.repair.after[:2])  # finished, so they are not trained again
    given = iter(shares)
    monkeypatch.setattr(methods_run, "robust_share", lambda *_arguments: next(given))
    monkeypatch.setattr(methods_run, "evaluate_repair", evaluations)
    again = repair_run(*planted, "stain", replace(OPTIONS, methods=names), out=repaired.folder)
    expected = NOTHING_DONE if chosen is None else names[chosen]
    assert again.repair.chosen == again.repair.best.name == again.numbers["chosen"] == expected
    assert again.numbers["chosen_run"] == (None if chosen is None else names[chosen])


def test_changes_are_differences_on_the_same_sheets(repaired: RepairReport) -> None:
    before = repaired.repair.before
    for after in repaired.repair.after:
        assert after.change is not None
        for name in ("accuracy", "balanced_accuracy", "accuracy_defective_with", "dice"):
            difference = after.metrics[name].estimate - before.metrics[name].estimate
            assert getattr(after.change, name).estimate == pytest.approx(difference, nan_ok=True)
            interval = getattr(after.change, name)
            assert not interval.low > interval.estimate + 1e-9
            assert not interval.high < interval.estimate - 1e-9


def test_the_proof_of_the_unchanged_run_is_that_of_prove(
    planted: tuple[Path, Path], repaired: RepairReport, tmp_path: Path
) -> None:
    run, data = planted
    alone = prove_run(run, data, "stain", ProofOptions(split="test", limit=20, seed=3), out=tmp_path).proof
    within = repaired.repair.before.evaluation.proof
    assert within.on_margins == alone.on_margins
    assert (within.pasted is None) == (alone.pasted is None)


def test_the_page_shows_the_numbers_of_the_file(repaired: RepairReport) -> None:
    written = json.loads((repaired.folder / NUMBERS).read_text())
    page = (repaired.folder / PAGE).read_text()
    assert written["chosen"] == repaired.numbers["chosen"]
    assert written["training_sheets"] == repaired.repair.groups
    for row in (written["before"], *written["after"]):
        for name in ("accuracy", "balanced_accuracy"):
            assert f"{row['metrics'][name]['estimate']:.3f}" in page
        assert f"{row['robust_share_on_validation']:.3f}" in page


def test_finished_methods_are_reused(planted: tuple[Path, Path], repaired: RepairReport) -> None:
    run, data = planted
    done = repaired.repair.after[0]
    assert done.run is not None
    before = (done.run / "model.safetensors").stat().st_mtime_ns
    options = replace(OPTIONS, methods=(done.name,))
    again = repair_run(run, data, "stain", options, out=repaired.folder)
    assert (done.run / "model.safetensors").stat().st_mtime_ns == before
    assert again.repair.after[0].metrics == done.metrics


def test_the_command_writes_the_numbers_it_prints(planted: tuple[Path, Path], tmp_path: Path) -> None:
    run, data = planted
    arguments = ["shortcuts", "repair", str(run), str(data), "--nuisance", "stain", "--cures", "last_layer"]
    options = ["--epochs", "1", "--limit", "20", "--judges", str(data), "--out", str(tmp_path), "--json"]
    done = CliRunner().invoke(app, [*arguments, *options])
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout.strip().splitlines()[-1])
    written = json.loads((tmp_path / NUMBERS).read_text())
    assert printed["after"] == written["after"]
    assert (tmp_path / PAGE).is_file()
    assert (tmp_path / "last_layer" / "model.safetensors").is_file()


def test_a_folder_without_the_training_sheets_is_refused(planted: tuple[Path, Path], tmp_path: Path) -> None:
    run, _ = planted
    write_sheets(synth_spec(count=12, seed=9, height=64, width=160), tmp_path / "OTHER", workers=1)
    with pytest.raises(BadData, match="sheets of DATA that trained RUN, got 0 of them"):
        repair_run(run, tmp_path / "OTHER", "stain", out=tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ("unknown",)}, "--cures: expected some of paste, balance, dro, last_layer, reasons"),
        ({"start": "other"}, "--start: expected run or recipe, got 'other'"),
        ({"material": "gold"}, "--material: expected one of auto, real, drawn"),
        ({"suspected_class": "rust"}, "--suspect: expected one of none, defect, got 'rust'"),
    ],
)
def test_unknown_option_values_are_refused(
    planted: tuple[Path, Path], tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        repair_run(*planted, "stain", RepairOptions(**options), out=tmp_path)


def test_a_list_of_unknown_kind_is_repaired_by_sampling(planted: tuple[Path, Path], tmp_path: Path) -> None:
    run, data = planted
    with (data / "truth.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    plain = [row for row in rows if row["stain_area_px"] in ("", "0") and row["end_width_px"] in ("", "0")]
    names = [row["ImageId"] for row in plain[::2]]
    (tmp_path / "odd.csv").write_text("ImageId\n" + "\n".join(names) + "\n")
    arguments = ["shortcuts", "repair", str(run), str(data), "--nuisance", str(tmp_path / "odd.csv")]
    done = CliRunner().invoke(
        app,
        [*arguments, "--epochs", "1", "--cures", "paste,balance", "--out", str(tmp_path / "out")],
    )
    assert done.exit_code == 0, done.output
    assert "paste could not be done" in done.output


def test_a_run_without_validation_sheets_is_refused(planted: tuple[Path, Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(planted[0], run)
    text = (run / "splits.csv").read_text().replace(",validation,", ",test,")
    (run / "splits.csv").write_text(text)
    metrics = json.loads((run / "metrics.json").read_text())
    del metrics["data"]["parts"]  # else the changed split is refused first, and so by the checksums
    (run / "metrics.json").write_text(json.dumps(metrics))
    (run / "checksums.json").unlink()
    with pytest.raises(BadInput, match="expected a run with validation sheets to choose a method on"):
        repair_run(run, planted[1], "stain", RepairOptions(methods=("balance",)), out=tmp_path / "out")
