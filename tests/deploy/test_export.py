"""Export: outputs that agree with the model, calibration on the engine that runs, or no bundle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import steelsight
from steelsight.cli import app
from steelsight.deploy import export as module
from steelsight.deploy.export import export_run
from steelsight.deploy.export_data import open_export_data
from steelsight.deploy.options import ExportOptions
from steelsight.deploy.parity_trials import gather_sheets
from steelsight.errors import BadData, BadRecipe, ParityRefused
from steelsight.evaluation.abstention.calibration import fit_temperature
from steelsight.explanations.verdicts import explain_images
from steelsight.files import pack_arrays
from steelsight.models.checkpoint import load_checkpoint
from steelsight.runtime.bundle.arrays import read_arrays
from steelsight.runtime.bundle.open import PROBES_FILE, open_bundle
from steelsight.runtime.bundle.seen import picture_marks, read_marks
from steelsight.runtime.bundle.writer import describe_files, write_bundle
from steelsight.runtime.engine.engine import decide, open_engine
from steelsight.runtime.parity.compare import EXACT
from steelsight.runtime.parity.verify import read_probes, verify_bundle
from steelsight.sheets.images.pixels import read_sheet
from steelsight.shortcuts.prove.run import prove_run
from steelsight.types import State

Trained = tuple[Path, Path]


@pytest.fixture(scope="session")
def bundle(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run, a list of odd sheets proven or not, exported at every precision that passes."""
    out = tmp_path_factory.mktemp("bundle") / "bundle"
    run, data = trained
    odd = out.with_name("odd.csv")
    odd.write_text("ImageId\n" + "\n".join(f"none/{number}.png" for number in range(0, 30, 2)) + "\n")
    prove_run(run, data, str(odd))
    export_run(run, data, out, ExportOptions(probes=6))
    return out


def test_bundle_and_model_give_the_same_verdicts_and_maps(trained: Trained, tmp_path: Path) -> None:
    run, data = trained
    export_run(run, data, tmp_path / "bundle", ExportOptions(precision=("f32",)))
    inspector = steelsight.load(tmp_path / "bundle", threads=1)
    model, card = load_checkpoint(run)
    paths = sorted(data.glob("*/*.png"))[::7]
    card = card.model_copy(update={"temperature": inspector.bundle.card.temperature, "threshold": None})
    wanted = explain_images(model, card, [read_sheet(path, card.input) for path in paths])
    for path, told in zip(paths, wanted, strict=True):
        verdict = inspector.inspect(path)
        assert verdict.label == told.verdict
        assert verdict.probabilities == pytest.approx(told.probabilities, abs=EXACT)
        kind = card.class_names.index(verdict.label)
        assert verdict.heatmap == pytest.approx(told.maps[kind], abs=1e-4 * float(np.abs(told.maps).max()))


def test_the_verb_prints_its_own_lines_only(trained: Trained, tmp_path: Path) -> None:
    """What NNCF, torch and the engines log is not shown; CUDA_HOME makes torch warn of a missing driver."""
    run, data = trained
    arguments = ["export", str(run), "--data", str(data), "--out", str(tmp_path / "bundle")]
    done = subprocess.run(
        [sys.executable, "-c", "from steelsight.cli import main; main()", *arguments],
        env={**os.environ, "CUDA_HOME": str(tmp_path), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=True,
    )
    ours = ("f32 ", "bf16 ", "int8 ", "precision: ", "temperature", "shortcut", "bundle: ")
    ours += ("exporting", "writing the graph", "parity", "calibrating on ")  # steps
    lines = done.stderr.splitlines()
    assert done.stdout == ""
    assert [line for line in lines if not line.startswith(ours)] == []
    assert len(lines) >= 5


def test_the_card_records_parity_source_and_shortcuts(trained: Trained, bundle: Path) -> None:
    run, data = trained
    opened = open_bundle(bundle)
    card = opened.card
    assert set(card.parity) == {"f32", "bf16", "int8"}
    assert card.parity["f32"]["passed"]
    assert card.parity["f32"]["engines"][0]["largest"] <= EXACT
    assert card.parity["f32"]["engines"][1]["engine"].startswith("ONNX Runtime")
    assert card.parity[card.precision]["passed"]
    speeds = {name: told["ms_a_sheet"] for name, told in card.parity.items()}
    assert speeds[card.precision] == min(speed for speed in speeds.values() if speed is not None)
    # 90 sheets in four views are fewer than bf16 and INT8 must be compared on
    assert "compared on" in card.parity["int8"]["broken"][0]
    assert card.usual is not None
    assert card.usual.sheets == 18
    assert card.source["run"] == run.name
    assert json.loads((bundle / "card.json").read_text())["model_id"] == card.model_id
    assert data.name == card.source["data"]
    (stamp,) = card.shortcuts
    proof = json.loads((run / "shortcuts" / "prove-odd" / "proof.json").read_text())["proof"]
    assert (stamp.nuisance, stamp.verdict) == ("odd", proof["verdict"])
    assert stamp.because in (bundle / "README.md").read_text()
    readme = (bundle / "README.md").read_text()
    assert "`steelsight bundle show` prints the model's id" in readme
    assert "no threshold can be certified" in readme.lower()
    for name, told in card.parity.items():
        (row,) = [line for line in readme.splitlines() if line.startswith(f"| {name} |")]
        assert ("yes" in row) == told["passed"]


def test_calibration_uses_the_engine_that_will_run(trained: Trained, bundle: Path) -> None:
    run, data = trained
    opened = open_bundle(bundle)
    sheets = open_export_data(run, data)
    engine = open_engine(opened)
    logits = engine(sheets.images(sheets.validation)).logits
    wanted = fit_temperature(logits, sheets.labels(sheets.validation))
    assert opened.card.temperature == pytest.approx(wanted, rel=1e-3)
    assert "no threshold can be certified" in opened.card.threshold_statement
    assert opened.card.threshold is None
    assert set(sheets.validation) & set(sheets.train) == set()


def test_label_sets_are_of_the_certification_sheets(trained: Trained, bundle: Path) -> None:
    run, data = trained
    opened, sheets = open_bundle(bundle), open_export_data(run, data)
    outputs = open_engine(opened)(sheets.images(sheets.unseen))
    decisions = decide(outputs, opened.card, opened.statistics)
    labels = sheets.labels(sheets.unseen)
    familiar = np.array([state is not State.UNKNOWN_INPUT for state in decisions.states])
    sets = opened.card.label_sets
    assert sets is not None
    counts = np.bincount(labels[familiar], minlength=3)
    assert sets.sheets == tuple(counts)
    assert opened.card.certification is not None
    assert opened.card.certification.sheets == labels.size
    for kind, count in enumerate(counts):
        own = familiar & (labels == kind)
        missed = [row for row in np.flatnonzero(own).tolist() if kind not in decisions.sets[row]]
        assert len(missed) <= max(0, (count + 1) // 10 - 1)  # the k-th smallest is in its own set
    assert all(bool(found) == known for found, known in zip(decisions.sets, familiar, strict=True))
    assert "## Label sets" in (bundle / "README.md").read_text()


def test_probe_sheets_hold_the_outputs_of_the_model(bundle: Path) -> None:
    probes = read_probes(open_bundle(bundle))
    assert len(probes.images) == 6
    assert len({int(row.argmax()) for row in probes.source.logits}) > 1
    found = verify_bundle(bundle)
    assert [each.broken for each in found] == [(), ()]
    assert found[0].parity.largest <= EXACT


def test_the_bundle_marks_the_sheets_of_the_training(trained: Trained, bundle: Path) -> None:
    sheets = open_export_data(*trained)
    used = np.concatenate([sheets.train, sheets.validation])
    assert read_marks(open_bundle(bundle)) == set(picture_marks(sheets.images(used)))


def test_a_graph_that_differs_from_the_model_is_refused(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, data = trained
    original = module.run_source

    def shifted(*arguments: object) -> object:
        told = original(*arguments)
        told.logits[:, 0] += 0.01
        return told

    monkeypatch.setattr(module, "run_source", shifted)
    with pytest.raises(
        ParityRefused, match=r"does not agree with the model: OpenVINO .* a probability differs"
    ):
        export_run(run, data, tmp_path / "bundle", ExportOptions(precision=("f32",)))
    assert not (tmp_path / "bundle").exists()


def test_unusable_precisions_and_data_are_refused(trained: Trained, tmp_path: Path) -> None:
    run, data = trained
    with pytest.raises(BadRecipe, match="precision: expected some of f32, bf16, int8, got fp8"):
        export_run(run, data, tmp_path / "bundle", ExportOptions(precision=("fp8",)))
    other = tmp_path / "OTHER"
    for title in ("none", "bar", "block"):  # sheets the run never saw
        (other / title).mkdir(parents=True)
        Image.fromarray(np.full((48, 64), 90, np.uint8)).save(other / title / "0.png")
    with pytest.raises(BadData, match="expected training sheets of run and others it was not trained on"):
        export_run(run, other, tmp_path / "bundle")


def test_export_verify_and_show_on_the_command_line(trained: Trained, tmp_path: Path) -> None:
    run, data = trained
    out = tmp_path / "bundle"
    asked = CliRunner().invoke(
        app,
        [
            "export",
            str(run),
            "--data",
            str(data),
            "--out",
            str(out),
            "--precision",
            "f32",
            "--probes",
            "4",
            "--json",
        ],
    )
    assert asked.exit_code == 0, asked.output
    told = json.loads(asked.stdout.strip().splitlines()[-1])
    assert told["card"]["precision"] == "f32"
    verified = CliRunner().invoke(app, ["bundle", "verify", str(out), "--json"])
    assert verified.exit_code == 0, verified.output
    assert json.loads(verified.stdout.strip().splitlines()[-1])["engines"][0]["broken"] == []
    shown = CliRunner().invoke(app, ["bundle", "show", str(out), "--json"])
    assert json.loads(shown.stdout.strip().splitlines()[-1])["task"] == "multiclass"
    content = bytearray((out / "probes.npz").read_bytes())
    content[40] ^= 1
    (out / "probes.npz").write_bytes(content)
    refused = CliRunner().invoke(app, ["bundle", "verify", str(out)])
    assert refused.exit_code == 2


def test_verify_finds_a_bundle_that_differs_from_its_source(trained: Trained, tmp_path: Path) -> None:
    run, data = trained
    out = tmp_path / "bundle"
    export_run(run, data, out, ExportOptions(precision=("f32",), probes=4))
    opened = open_bundle(out)
    probes = read_arrays(opened.files[PROBES_FILE], "probes")
    probes["logits"] = probes["logits"][::-1]
    files = {**opened.files, PROBES_FILE: pack_arrays(probes)}
    write_bundle(out, opened.card.model_copy(update={"files": describe_files(files)}), files)
    assert any("verdicts differ" in words for words in verify_bundle(out)[0].broken)
    told = CliRunner().invoke(app, ["bundle", "verify", str(out)])
    assert told.exit_code == 1
    assert "does not answer as its source" in told.output


def test_few_sheets_are_extended_by_flips_and_training_sheets(trained: Trained) -> None:
    run, data = trained
    sheets = open_export_data(run, data)
    trial = gather_sheets(sheets)
    assert trial.labels.size == 90 * 4  # every sheet in four views: still too few, so training sheets too
    assert trial.trained == sheets.train.size * 4
    assert len(trial.images) == trial.labels.size + 13
    assert len(trial.groups) == trial.labels.size


def test_bundle_and_explain_name_their_temperatures(trained: Trained, bundle: Path, tmp_path: Path) -> None:
    run, data = trained
    card = json.loads((bundle / "card.json").read_text())
    assert (card["source"]["temperature"], card["source"]["temperature_from"]) == (
        1.0,
        "as trained, not calibrated",
    )
    readme = (bundle / "README.md").read_text()
    assert f"Temperature {card['temperature']:.4g}, fitted on the outputs" in readme
    assert "`steelsight explain` on the run uses 1 (as trained, not calibrated)" in readme
    image = str(next(data.glob("bar/*.png")))
    told = CliRunner().invoke(app, ["explain", str(run), image, "--out", str(tmp_path), "--json"])
    assert "probabilities at temperature 1 (as trained, not calibrated)" in told.stderr
    report = json.loads(told.stdout)
    assert (report["temperature"], report["temperature_from"]) == (1.0, "as trained, not calibrated")
