"""A run that learnt a planted stain is repaired: files, figures, choice, resuming; and what cannot be."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.errors import BadData, BadInput
from steelsight.models.checkpoint import load_checkpoint
from steelsight.sheets.synthetic import synth_spec, write_sheets
from steelsight.shortcuts.prove.run import prove_run
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


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """RUN and DATA: every sheet without a defect has a stain, few others have."""
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
    return repair_run(run, data, "stain", epochs=1, limit=20, out=tmp_path_factory.mktemp("repair"), seed=3)


def test_every_cure_leaves_a_run_that_says_what_was_done(
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


def test_validation_chooses(repaired: RepairReport) -> None:
    found = repaired.repair
    everyone = (found.before, *found.after)
    assert found.best.robust == max(each.robust for each in everyone)
    assert all(0 <= each.robust <= 1 for each in everyone)
    assert repaired.numbers["chosen"] == found.best.name


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


def test_it_is_the_proof_that_prove_gives(
    planted: tuple[Path, Path], repaired: RepairReport, tmp_path: Path
) -> None:
    run, data = planted
    alone = prove_run(run, data, "stain", part="test", limit=20, seed=3, out=tmp_path).proof
    within = repaired.repair.before.judgement.proof
    assert within.on_margins == alone.on_margins
    assert (within.pasted is None) == (alone.pasted is None)


def test_the_page_shows_the_numbers_of_the_file(repaired: RepairReport) -> None:
    told = json.loads((repaired.folder / NUMBERS).read_text())
    page = (repaired.folder / PAGE).read_text()
    assert told["chosen"] == repaired.numbers["chosen"]
    assert told["training_sheets"] == repaired.repair.groups
    for row in (told["before"], *told["after"]):
        for name in ("accuracy", "balanced_accuracy"):
            assert f"{row['metrics'][name]['estimate']:.3f}" in page
        assert f"{row['robust_share_on_validation']:.3f}" in page


def test_finished_cures_are_taken_as_they_are(planted: tuple[Path, Path], repaired: RepairReport) -> None:
    run, data = planted
    done = repaired.repair.after[0]
    assert done.run is not None
    before = (done.run / "model.safetensors").stat().st_mtime_ns
    again = repair_run(run, data, "stain", cures=[done.name], epochs=1, limit=20, out=repaired.folder, seed=3)
    assert (done.run / "model.safetensors").stat().st_mtime_ns == before
    assert again.repair.after[0].metrics == done.metrics


def test_the_command(planted: tuple[Path, Path], tmp_path: Path) -> None:
    run, data = planted
    arguments = ["shortcuts", "repair", str(run), str(data), "--nuisance", "stain", "--cures", "last_layer"]
    options = ["--epochs", "1", "--limit", "20", "--judges", str(data), "--out", str(tmp_path), "--json"]
    done = CliRunner().invoke(app, [*arguments, *options])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.strip().splitlines()[-1])
    written = json.loads((tmp_path / NUMBERS).read_text())
    assert told["after"] == written["after"]
    assert (tmp_path / PAGE).is_file()
    assert (tmp_path / "last_layer" / "model.safetensors").is_file()


def test_other_sheets_cannot_teach_again(planted: tuple[Path, Path], tmp_path: Path) -> None:
    run, _ = planted
    write_sheets(synth_spec(count=12, seed=9, height=64, width=160), tmp_path / "OTHER", workers=1)
    with pytest.raises(BadData, match="sheets of DATA that trained RUN, got 0 of them"):
        repair_run(run, tmp_path / "OTHER", "stain", out=tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cures": ["prayer"]}, "--cures: expected some of paste, balance, dro, last_layer, reasons"),
        ({"start": "anew"}, "--start: expected run or recipe, got 'anew'"),
        ({"material": "gold"}, "--material: expected one of auto, real, drawn"),
        ({"suspect": "rust"}, "--suspect: expected one of none, defect, got 'rust'"),
    ],
)
def test_options_that_do_not_exist(
    planted: tuple[Path, Path], tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        repair_run(*planted, "stain", out=tmp_path, **options)  # type: ignore[arg-type]


def test_a_list_without_a_kind_leaves_the_cures_by_groups(planted: tuple[Path, Path], tmp_path: Path) -> None:
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


def test_without_validation_sheets_nobody_can_choose(planted: tuple[Path, Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(planted[0], run)
    text = (run / "splits.csv").read_text().replace(",validation,", ",test,")
    (run / "splits.csv").write_text(text)
    with pytest.raises(BadInput, match="expected validation sheets to choose a cure on, found none"):
        repair_run(run, planted[1], "stain", cures=["balance"], out=tmp_path / "out")
