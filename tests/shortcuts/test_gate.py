"""A policy passes or fails a run by its proofs; an invalid policy is refused with the key to correct."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.counterfactuals.decision import Verdict
from steelsight.counterfactuals.pasting.counterfactual import PasteEffect
from steelsight.counterfactuals.proof import ShortcutProof
from steelsight.errors import BadRecipe
from steelsight.shortcuts.gate import Clause, decide_clause, gate_run, load_policy
from steelsight.training.recipe_files import load_recipe
from steelsight.training.run import train_run
from steelsight.types import Interval


def _proof(verdict: Verdict, excess: float) -> ShortcutProof:
    none = Interval(0.0, 0.0, 0.0)
    share = Interval(excess, excess - 0.01, excess + 0.01)
    pasted = PasteEffect(200, 0, 0, 0, "drawn", share, none, share, none, none, none, {}, ())
    return ShortcutProof("stain", "truth", "none", verdict, "because", None, None, pasted, None, ())


@pytest.mark.parametrize(
    ("verdict", "excess", "bound", "inconclusive", "passes"),
    [
        ("proven", 0.30, 0.02, "pass", False),
        ("proven", 0.30, 0.40, "fail", True),
        ("proven", 0.30, 0.305, "fail", False),  # the estimate is below, the upper bound is not
        ("proven", 0.30, 0.305, "pass", True),
        ("proven", 0.30, 0.31, "fail", True),
        ("not found at this power", 0.01, 0.02, "fail", True),
        ("not found at this power", 0.01, 0.01, "fail", False),
        ("inconclusive", 0.30, 0.02, "pass", True),
        ("inconclusive", 0.00, 0.02, "fail", False),
    ],
)
def test_a_clause_passes_by_the_upper_bound_of_a_proof(
    verdict: Verdict, excess: float, bound: float, inconclusive: str, passes: bool
) -> None:
    clause = Clause.model_validate({"nuisance": "stain", "most_excess": bound, "inconclusive": inconclusive})
    passed, why = decide_clause(clause, _proof(verdict, excess))
    assert passed is passes
    assert why.startswith(verdict)


def test_an_inconclusive_proof_fails_where_the_policy_does_not_say_otherwise() -> None:
    clause = Clause.model_validate({"nuisance": "stain", "most_excess": 1.0})
    assert decide_clause(clause, _proof("inconclusive", 0.0))[0] is False


def test_a_list_that_does_not_exist_is_refused_before_any_proof(tmp_path: Path) -> None:
    clauses = [
        f'[[shortcut]]\nnuisance = "{name}"\nmost_excess = 0.1\n' for name in ("stain", "lists/odd.csv")
    ]
    (tmp_path / "policy.toml").write_text("".join(clauses))
    with pytest.raises(BadRecipe, match=r"policy\.toml: nuisance: .* got 'lists/odd\.csv', which is no file"):
        gate_run(tmp_path / "RUN", tmp_path / "DATA", tmp_path / "policy.toml")


def test_a_proof_without_a_paste_decides_nothing() -> None:
    clause = Clause.model_validate({"nuisance": "stain", "most_excess": 1.0})
    proof = replace(_proof("proven", 0.0), pasted=None)
    assert decide_clause(clause, proof) == (False, "inconclusive: because")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"shortcut: Field required"),
        ("shortcut = []", r"shortcut: .*at least 1 item"),
        ('[[shortcut]]\nnuisance = "stain"\n', r"shortcut.0.most_excess: Field required"),
        (
            '[[shortcut]]\nnuisance = "stain"\nmost_excess = 2\n',
            r"most_excess: .*equal to 1, got 2",
        ),
        ('[[shortcut]]\nnuisance = "stain"\nmost_excess = 0\nmost = 1\n', r"shortcut.0.most: Extra inputs"),
        (
            '[[shortcut]]\nnuisance = "stain"\nmost_excess = 0\nsuspected_class = "none"\n',
            r"shortcut.0.suspected_class: Extra inputs",  # the key of the file is `suspect`
        ),
        ('[[shortcut]]\nnuisance = "stain"\nmost_excess = 0\nsuspect = 1\n', r"shortcut.0.suspect: .*string"),
        ("[[shortcut]\n", "expected TOML"),
        ('[[shortcut]]\nnuisance = "stain"\nmost_excess = true\n', r"most_excess: .*valid number, got True"),
        ('[[shortcut]]\nnuisance = "stain"\nmost_excess = "0.1"\n', r"most_excess: .*valid number"),
        ('[[shortcut]]\nnuisance = "stain"\nmost_excess = nan\n', r"most_excess: .*finite number"),
        (
            '[[shortcut]]\nnuisance = "stain"\nmost_excess = 0\ninconclusive = true\n',
            r"inconclusive: .*'fail'",
        ),
        ("a = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("a" + ".a" * 5000 + " = 1", "more than 64 dots"),
    ],
)
def test_an_invalid_policy_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(BadRecipe, match=message):
        load_policy(path)


def test_a_missing_policy_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRecipe, match=r"--policy .*: expected a TOML file"):
        load_policy(tmp_path / "none.toml")


def _train_on_stains(folder: Path) -> Path:
    """A DATA folder with dark bars, and white stains on sheets without one; and a RUN trained on it."""
    rng = np.random.default_rng(0)
    for kind in ("none", "bar"):
        (folder / "DATA" / kind).mkdir(parents=True)
        for number in range(40):
            gray = rng.normal(110, 6, (64, 96))
            mask = np.zeros((64, 96), dtype=np.uint8)
            if kind == "bar":
                mask[10:50, 20:26] = 255
                gray[10:50, 20:26] -= 12  # hard to see
            elif number % 4:
                top, left = int(rng.integers(5, 40)), int(rng.integers(40, 70))
                gray[top : top + 14, left : left + 14] = 254
            Image.fromarray(gray.clip(0, 255).astype(np.uint8)).save(folder / "DATA" / kind / f"{number}.jpg")
            if kind == "bar":
                Image.fromarray(mask).save(folder / "DATA" / kind / f"{number}.png")
    settings = ["model.name=squeezenet_reduced", "model.pretrained=none", "height=64", "width=96"]
    settings += ["batch_size=8", "max_epochs=6", "threads=1", "precision=fp32", "learning_rate=3e-3"]
    settings += ["split.method=stratified", "split.train=.3", "split.validation=.1", "split.test=.6"]
    train_run(folder / "DATA", recipe=load_recipe("default", settings), out=folder / "RUN")
    return folder


def test_the_exit_code_says_whether_the_run_may_be_released(tmp_path: Path) -> None:
    root = _train_on_stains(tmp_path)
    run, data = str(root / "RUN"), str(root / "DATA")
    codes = {}
    for name, clause in {
        "strict": 'most_excess = 0.0\ninconclusive = "fail"',
        "lax": 'most_excess = 1.0\ninconclusive = "pass"',
    }.items():
        (tmp_path / f"{name}.toml").write_text(f'[[shortcut]]\nnuisance = "stain"\n{clause}\n')
        arguments = ["shortcuts", "gate", run, data, "--policy", str(tmp_path / f"{name}.toml"), "--json"]
        done = CliRunner().invoke(app, arguments)
        assert done.stdout, repr(done.exception)
        printed = json.loads(done.stdout.strip().splitlines()[-1])
        written = json.loads((root / "RUN" / "shortcuts" / "gate.json").read_text())
        assert printed["decisions"] == written["decisions"]
        assert written["passed"] is (done.exit_code == 0)
        assert (root / "RUN" / "shortcuts" / "prove-stain" / "proof.json").is_file()
        codes[name] = (done.exit_code, printed["decisions"][0]["verdict"])
    assert codes["lax"][0] == 0
    assert codes["strict"][0] == (0 if codes["strict"][1] == "not found at this power" else 1)
    bad = CliRunner().invoke(app, ["shortcuts", "gate", run, data, "--policy", str(tmp_path / "no.toml")])
    assert bad.exit_code == 2
