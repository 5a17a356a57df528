"""The gate of an exported bundle counts as `shortcuts prove` does on the run that it was exported from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.counterfactuals.proof_cases import SMALL, make_sheets, write_sheets
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.counterfactuals.pasting import counterfactual, removal
from steelsight.deploy.export import export_run
from steelsight.deploy.options import ExportOptions
from steelsight.runtime.bundle.gate import verify_gate
from steelsight.runtime.bundle.open import open_bundle
from steelsight.shortcuts.prove.options import ProofOptions
from steelsight.shortcuts.prove.run import prove_run
from steelsight.training.recipe_files import load_recipe
from steelsight.training.run import train_run

POLICY = "".join(
    f'[[shortcut]]\nnuisance = "{name}"\nmost_flipped = {limit}\n'
    for name, limit in (("stain", 0.2), ("end", 1.0))
)


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counterfactual, "RESAMPLES", 200)
    monkeypatch.setattr(removal, "RESAMPLES", 200)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A run that was trained on stains on most defect-free sheets, its bundle, and other sheets."""
    root = tmp_path_factory.mktemp("gate")
    learnt = write_sheets(make_sheets(120, stains=(0.6, 0.0), seed=1), root / "learnt")
    judged = write_sheets(make_sheets(160, stains=(0.4, 0.0), ends=(0.2, 0.2), seed=2), root / "judged")
    train_run(learnt, recipe=load_recipe("default", SMALL), out=root / "run")
    export_run(root / "run", learnt, root / "bundle", ExportOptions(precision=("f32",), probes=0))
    return root / "run", root / "bundle", judged


def test_the_counts_are_those_of_the_run(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    run, bundle, data = folders
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    arguments = ["gate", str(bundle), str(data), "--policy", str(policy), "--seed", "5"]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "copy"), "--json"])
    printed = json.loads(done.stdout.strip().splitlines()[-1])
    for number, nuisance in enumerate(("stain", "end")):
        options = ProofOptions(split="all", seed=5)
        expected = prove_run(run, data, nuisance, options, out=tmp_path / nuisance).proof
        assert expected.pasted is not None
        found = printed["proofs"][number]["pasted"]
        assert found["receivers"] == expected.pasted.receivers
        assert found["becomes"] == expected.pasted.becomes
        for share in ("flips", "control_flips", "excess"):
            assert found[share]["estimate"] == getattr(expected.pasted, share).estimate
            assert found[share]["high"] == getattr(expected.pasted, share).high
        assert printed["record"]["shortcuts"][number]["flipped"][2] == expected.pasted.flips.high
        assert found["shift"]["estimate"] == pytest.approx(expected.pasted.shift.estimate, abs=1e-3)
    assert done.exit_code == (0 if printed["passed"] else 1)
    check = verify_gate(open_bundle(tmp_path / "copy"), policy=policy)
    assert check.passed is printed["passed"]


def test_the_trained_folder_needs_the_split_of_the_run(
    folders: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    run, bundle, data = folders
    (tmp_path / "policy.toml").write_text(POLICY)
    learnt = data.with_name("learnt")
    arguments = ["gate", str(bundle), str(learnt), "--policy", str(tmp_path / "policy.toml"), "--json"]
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 2
    assert "was trained on sheets of this folder" in refused.output
    splits = run / "splits.csv"
    copy = ["--out", str(tmp_path / "copy"), "--splits", str(splits)]
    done = CliRunner().invoke(app, [*arguments, *copy])
    printed = json.loads(done.stdout.strip().splitlines()[-1])
    unseen = sum(",test," in line for line in splits.read_text().splitlines())
    assert printed["record"]["sheets"] == unseen


def test_bundle_verify_asks_for_the_gate(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    _, bundle, data = folders
    policy = tmp_path / "policy.toml"
    policy.write_text('[[shortcut]]\nnuisance = "stain"\nmost_flipped = 1.0\n')
    asked = ["bundle", "verify", str(tmp_path / "copy"), "--policy", str(policy)]
    gated = ["gate", str(bundle), str(data), "--policy", str(policy), "--out", str(tmp_path / "copy")]
    missing = CliRunner().invoke(app, ["bundle", "verify", str(bundle), "--policy", str(policy)])
    assert missing.exit_code == 1
    assert "found none; run `steelsight gate" in missing.output
    assert CliRunner().invoke(app, gated).exit_code == 0
    shown = CliRunner().invoke(app, ["bundle", "show", str(tmp_path / "copy")])
    assert "passed by policy.toml on 160 sheets of judged" in shown.output
    verified = CliRunner().invoke(app, asked)
    assert "gate: passed by policy.toml" in verified.output
    policy.write_text(policy.read_text() + "\n")
    assert CliRunner().invoke(app, asked).exit_code == 1
