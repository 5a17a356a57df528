"""A planted shortcut fails a bundle's gate, a sound one passes, too little data fails; counts are exact."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from tests.adaptation.gate.gate_cases import known_bundle, known_data, twin, write_policy

from steelsight.adaptation.gate.options import BundleGateOptions
from steelsight.adaptation.gate.run import BundleGate, gate_bundle
from steelsight.adaptation.gate.sheets import open_gate_sheets
from steelsight.counterfactuals.nuisances.nuisance import open_nuisance
from steelsight.counterfactuals.options import ProofSettings
from steelsight.counterfactuals.pasting import counterfactual, removal
from steelsight.counterfactuals.proof import prove_nuisance
from steelsight.evaluation.intervals.bootstrap import wilson
from steelsight.runtime.bundle.gate import verify_gate
from steelsight.runtime.bundle.open import open_bundle
from steelsight.streams import stream

WHEN = datetime(2026, 11, 29, 19, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counterfactual, "RESAMPLES", 200)
    monkeypatch.setattr(removal, "RESAMPLES", 200)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return known_data(tmp_path_factory.mktemp("sheets") / "DATA")


def _gate(bundle: Path, data: Path, policy: Path, **options: object) -> BundleGate:
    return gate_bundle(bundle, data, policy, BundleGateOptions(**options), now=lambda: WHEN)


def test_a_sound_bundle_passes_and_a_planted_shortcut_does_not(tmp_path: Path, data: Path) -> None:
    policy = write_policy(tmp_path)
    sound = _gate(known_bundle(tmp_path / "sound"), data, policy)
    planted = _gate(known_bundle(tmp_path / "planted", white=18.0), data, policy)
    assert sound.passed, sound.record.shortcuts[0].why
    assert sound.record.shortcuts[0].outcome == "passed"
    assert not planted.passed
    assert planted.record.shortcuts[0].outcome == "exceeded"
    flipped = planted.record.shortcuts[0].flipped
    assert flipped is not None
    assert flipped[0] is not None
    assert flipped[0] > 0.5


def test_the_counts_are_those_of_a_numpy_twin_of_the_graph(tmp_path: Path) -> None:
    """Stains of all sizes flip some verdicts and not others."""
    white, data = 9.0, known_data(tmp_path / "DATA", vary=True)
    bundle = known_bundle(tmp_path / "bundle", white=white)
    found = _gate(bundle, data, write_policy(tmp_path), seed=3)
    sheets = open_gate_sheets(data, open_bundle(bundle).card, BundleGateOptions()).proof
    present = open_nuisance(sheets, "stain")
    expected = prove_nuisance(twin(white), sheets, present, ProofSettings(), rng=stream(3, "proof"))
    assert expected.outputs is not None
    assert expected.pasted is not None
    flips = int((expected.outputs.after.argmax(1) == 0).sum())
    controls = int((expected.outputs.control.argmax(1) == 0).sum())
    assert 10 < flips < expected.pasted.receivers - 10  # so that a wrong count would show
    assert np.abs(np.diff(expected.outputs.after)).min() > 1e-3  # float32 decides none of them otherwise
    decision = found.record.shortcuts[0]
    bounds = wilson(flips, expected.pasted.receivers)  # to the last digit of another way of counting
    assert decision.pasted == expected.pasted.receivers == decision.groups
    assert decision.flipped is not None
    assert decision.flipped[0] == pytest.approx(bounds.estimate, abs=1e-12)
    assert decision.excess is not None
    assert decision.excess[0] == pytest.approx((flips - controls) / decision.pasted, abs=1e-12)
    proof = found.proofs[0].as_dict()
    assert proof["pasted"]["becomes"] == expected.as_dict()["pasted"]["becomes"]
    assert proof["verdict"] == expected.verdict


@pytest.mark.parametrize(
    ("count", "text", "outcome"),
    [
        (30, "most_flipped = 0.5", "underpowered"),  # 15 defective sheets
        (240, "most_flipped = 0.5\nleast_pasted = 121", "underpowered"),
        (240, "most_flipped = 0.01", "inconclusive"),  # 0 of 120 is no proof of 1 %
        (240, "most_flipped = 0.04", "passed"),  # Wilson's upper bound of 0 of 120 is 3.1 %
        (120, "most_excess = 0.1\nrequire_test = true", "underpowered"),  # 30 and 30 sheets: power .71
        (240, "most_excess = 0.1\nrequire_test = true", "passed"),
    ],
)
def test_too_little_data_fails(tmp_path: Path, data: Path, count: int, text: str, outcome: str) -> None:
    sheets = data if count == 240 else known_data(tmp_path / "DATA", count)
    policy = write_policy(tmp_path, f'[[shortcut]]\nnuisance = "stain"\n{text}\n')
    found = _gate(known_bundle(tmp_path / "bundle"), sheets, policy)
    assert found.record.shortcuts[0].outcome == outcome, found.record.shortcuts[0].why
    assert found.passed is (outcome == "passed")


def test_sheets_of_few_coils_are_underpowered(tmp_path: Path, data: Path) -> None:
    """A hundred sheets of five coils are five independent groups."""
    rows = sorted(path.relative_to(data).as_posix() for path in data.rglob("*.jpg"))
    table = "ImageId,coil\n" + "".join(f"{name},c{number % 5}\n" for number, name in enumerate(rows))
    (tmp_path / "coils.csv").write_text(table)
    bundle = known_bundle(tmp_path / "bundle")
    found = _gate(bundle, data, write_policy(tmp_path), groups=f"file:{tmp_path / 'coils.csv'}:coil")
    assert found.record.groups == 5
    assert found.record.shortcuts[0].outcome == "underpowered"
    assert "5 independent groups, expected 10" in found.record.shortcuts[0].why


def test_metrics_pass_by_their_lower_bounds(tmp_path: Path, data: Path) -> None:
    bundle = known_bundle(tmp_path / "bundle")
    text = '[[shortcut]]\nnuisance = "stain"\nmost_excess = 0.05\n[quality]\nleast_accuracy = {}\n'
    text += "least_balanced_accuracy = {}\nleast_sheets = {}\n"
    outcomes = {}
    for name, values in {"low": (0.95, 0.9, 200), "high": (0.999, 0.999, 241)}.items():
        policy = write_policy(tmp_path, text.format(*values), name=f"{name}.toml")
        found = _gate(bundle, data, policy)
        outcomes[name] = {each.metric: each.outcome for each in found.record.metrics}, found.passed
    all_right = {"sheets": "passed", "accuracy": "passed", "balanced accuracy": "passed"}
    assert outcomes["low"] == (all_right, True)
    assert outcomes["high"] == (
        {"sheets": "underpowered", "accuracy": "inconclusive", "balanced accuracy": "inconclusive"},
        False,
    )


def test_a_bundle_that_is_often_wrong_is_below(tmp_path: Path, data: Path) -> None:
    """A bundle that calls every stained sheet defective."""
    bundle = known_bundle(tmp_path / "bundle", white=-12.0)
    text = '[[shortcut]]\nnuisance = "stain"\nmost_excess = 1.0\n[quality]\nleast_accuracy = 0.9\n'
    metric = _gate(bundle, data, write_policy(tmp_path, text)).record.metrics[1]
    sheets = open_gate_sheets(data, open_bundle(bundle).card, BundleGateOptions()).proof
    share = float((twin(-12.0)(sheets.images).argmax(1) == sheets.labels).mean())
    assert metric.outcome == "below"
    assert metric.value is not None
    assert metric.value[0] == pytest.approx(share)
    assert share < 0.9


def test_an_own_table_of_sheets_is_a_nuisance(tmp_path: Path, data: Path) -> None:
    """Listed sheets are stained ones, so the table is of that kind, and its stains are pasted."""
    card = open_bundle(known_bundle(tmp_path / "sound")).card
    sheets = open_gate_sheets(data, card, BundleGateOptions()).proof
    white = (sheets.images > 240).sum((1, 2)) > 30
    stained = [sheets.ids[row] for row in np.flatnonzero(white).tolist()]
    (tmp_path / "mine.csv").write_text("ImageId\n" + "\n".join(stained) + "\n")
    policy = write_policy(tmp_path, '[[shortcut]]\nnuisance = "mine.csv"\nmost_flipped = 0.05\n')
    sound = _gate(tmp_path / "sound", data, policy)
    planted = _gate(known_bundle(tmp_path / "planted", white=18.0), data, policy)
    assert (sound.passed, planted.passed) == (True, False)
    assert set(sound.record.lists) == {"mine.csv"}


def test_ends_and_several_shortcuts_are_decided_one_by_one(tmp_path: Path, data: Path) -> None:
    """An end is suspected to indicate the defect: it is pasted on the defect-free sheets without a stain."""
    text = "".join(f'[[shortcut]]\nnuisance = "{name}"\nmost_flipped = 0.1\n' for name in ("stain", "end"))
    found = _gate(known_bundle(tmp_path / "bundle", white=18.0), data, write_policy(tmp_path, text))
    named = {each.nuisance: (each.suspect, each.outcome) for each in found.record.shortcuts}
    # Black is dark: its columns are evidence for bars in this graph, and flip verdicts to defect.
    assert named == {"stain": ("none", "exceeded"), "end": ("defect", "exceeded")}


def test_the_same_gate_gives_the_same_record(tmp_path: Path, data: Path) -> None:
    policy = write_policy(tmp_path)
    records = [_gate(known_bundle(tmp_path / name, white=5.0), data, policy).record for name in "ab"]
    assert records[0] == records[1]
    engines = _gate(tmp_path / "a", data, policy, engine="onnxruntime").record
    assert engines.shortcuts == records[0].shortcuts  # float32 in two engines: the same verdicts


def test_the_record_leaves_the_rest_of_the_bundle_as_it_was(tmp_path: Path, data: Path) -> None:
    bundle = known_bundle(tmp_path / "bundle")
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    (bundle / "card.json.sig").write_bytes(bytes(64))
    found = _gate(bundle, data, write_policy(tmp_path))
    after = {path.name: path.read_bytes() for path in bundle.iterdir()}
    old, new = json.loads(before.pop("card.json")), json.loads(after.pop("card.json"))
    assert before == after  # the signature, which is of the card before, is gone
    assert "sign it with `steelsight bundle sign`" in found.notes[-1]
    assert new.pop("gates") == [json.loads(found.record.model_dump_json())]
    assert new == old
    assert verify_gate(open_bundle(bundle), policy=tmp_path / "policy.toml").passed


def test_a_copy_with_the_record_leaves_the_bundle_alone(tmp_path: Path, data: Path) -> None:
    bundle = known_bundle(tmp_path / "bundle")
    before = (bundle / "card.json").read_bytes()
    found = gate_bundle(bundle, data, write_policy(tmp_path), out=tmp_path / "copy")
    assert (bundle / "card.json").read_bytes() == before
    assert found.folder == tmp_path / "copy"
    assert open_bundle(tmp_path / "copy").card.gates == (found.record,)
    assert open_bundle(tmp_path / "copy").card.model_id == open_bundle(bundle).card.model_id
