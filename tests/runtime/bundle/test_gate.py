"""A record of a gate holds only for the bundle, the policy and the sheets that it names."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from tests.adaptation.gate.gate_cases import known_bundle

from steelsight.errors import BadBundle
from steelsight.runtime.bundle.gate import add_gate, verify_gate
from steelsight.runtime.bundle.gate_record import MOST_GATES, GatedShortcut, GateRecord
from steelsight.runtime.bundle.open import open_bundle


def _record(model_id: str, policy: Path, *, passed: bool = True, **changes: object) -> GateRecord:
    shortcut = GatedShortcut(
        nuisance="stain",
        suspect="none",
        most_flipped=0.1,
        most_excess=None,
        flipped=(0.0, 0.0, 0.03),
        excess=(0.0, -0.03, 0.03),
        pasted=120,
        groups=120,
        outcome="passed" if passed else "exceeded",
        why="stain → none: as it is",
    )
    values: dict[str, object] = {
        "made": "2026-11-29T19:00:00Z",
        "model_id": model_id,
        "engine": "OpenVINO 1 f32",
        "policy": policy.name,
        "policy_sha256": hashlib.sha256(policy.read_bytes()).hexdigest(),
        "lists": {},
        "data": "DATA",
        "data_hash": "d" * 64,
        "sheets": 240,
        "groups": 240,
        "limit": 500,
        "seed": 0,
        "shortcuts": (shortcut,),
        "passed": passed,
    }
    return GateRecord.model_validate(values | changes)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text('[[shortcut]]\nnuisance = "stain"\nmost_flipped = 0.1\n')
    return path


@pytest.fixture
def gated(tmp_path: Path, policy: Path) -> Path:
    """A bundle whose card has the record of a gate that it passed."""
    folder = known_bundle(tmp_path / "gated")
    opened = open_bundle(folder)
    add_gate(opened, _record(opened.card.model_id, policy))
    return folder


def test_a_passed_gate_is_verified(gated: Path, policy: Path) -> None:
    opened = open_bundle(gated)
    for found in (verify_gate(opened), verify_gate(opened, policy=policy, data_hash="d" * 64)):
        assert found.passed
        assert found.record == opened.card.gates[0]


def test_a_bundle_without_a_gate_is_not_verified(tmp_path: Path, policy: Path) -> None:
    found = verify_gate(open_bundle(known_bundle(tmp_path / "b")), policy=policy)
    assert (found.passed, found.record) == (False, None)
    assert "run `steelsight gate" in str(found.reasons[0])


def test_a_changed_policy_is_another_one(gated: Path, policy: Path) -> None:
    policy.write_text(policy.read_text() + "# laxer\n")
    found = verify_gate(open_bundle(gated), policy=policy)
    assert not found.passed
    assert "as it is now, found none" in str(found.reasons[0])


def test_other_sheets_are_told(gated: Path) -> None:
    found = verify_gate(open_bundle(gated), data_hash="e" * 64)
    assert not found.passed
    assert "tested on DATA with the hash dddddddddddd…, expected eeeeeeeeeeee…" in str(found.reasons[0])


def test_a_changed_table_of_the_policy_is_told(tmp_path: Path, policy: Path) -> None:
    (tmp_path / "mine.csv").write_text("ImageId\na.jpg\n")
    opened = open_bundle(known_bundle(tmp_path / "b"))
    digest = hashlib.sha256((tmp_path / "mine.csv").read_bytes()).hexdigest()
    add_gate(opened, _record(opened.card.model_id, policy, lists={"mine.csv": digest}))
    assert verify_gate(open_bundle(tmp_path / "b"), policy=policy).passed
    (tmp_path / "mine.csv").write_text("ImageId\nb.jpg\n")
    changed = verify_gate(open_bundle(tmp_path / "b"), policy=policy)
    (tmp_path / "mine.csv").unlink()
    gone = verify_gate(open_bundle(tmp_path / "b"), policy=policy)
    assert not changed.passed
    assert "mine.csv: was changed since the gate" in str(changed.reasons[0])
    assert not gone.passed
    assert "mine.csv: cannot be read" in str(gone.reasons[0])


def test_the_latest_record_counts(gated: Path, policy: Path, tmp_path: Path) -> None:
    """A bundle that failed later is not released by what it passed before; another policy changes nothing."""
    model_id = open_bundle(gated).card.model_id
    add_gate(open_bundle(gated), _record(model_id, policy, passed=False, made="2026-11-29T20:00:00Z"))
    found = verify_gate(open_bundle(gated), policy=policy)
    assert not found.passed
    assert "the gate of 2026-11-29T20:00:00Z was not passed: stain → none: as it is" in str(found.reasons[0])
    other = tmp_path / "other.toml"
    other.write_text('[[shortcut]]\nnuisance = "stain"\nmost_flipped = 1.0\n')
    add_gate(open_bundle(gated), _record(model_id, other))
    assert not verify_gate(open_bundle(gated), policy=policy).passed
    assert verify_gate(open_bundle(gated), policy=other).passed


def test_the_oldest_records_are_dropped(gated: Path, policy: Path) -> None:
    model_id = open_bundle(gated).card.model_id
    for number in range(MOST_GATES):
        add_gate(open_bundle(gated), _record(model_id, policy, seed=number + 1))
    card = open_bundle(gated).card
    assert [each.seed for each in card.gates] == list(range(1, MOST_GATES + 1))
    assert card.model_id == model_id


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sheets", 24000),
        ("policy_sha256", "a" * 64),
        ("data_hash", "e" * 64),
        ("made", "2027-01-01T00:00:00Z"),
        ("sha256", "0" * 64),
        ("sha256", ""),
        ("model_id", "0" * 32),
    ],
)
def test_an_altered_record_is_refused(gated: Path, key: str, value: object) -> None:
    card = json.loads((gated / "card.json").read_text())
    card["gates"][0][key] = value
    (gated / "card.json").write_text(json.dumps(card))
    with pytest.raises(BadBundle, match=r"gates\.0: expected the record of a gate of"):
        open_bundle(gated)


def test_a_record_that_contradicts_itself_is_refused(gated: Path) -> None:
    card = json.loads((gated / "card.json").read_text())
    card["gates"][0]["shortcuts"][0]["outcome"] = "exceeded"
    (gated / "card.json").write_text(json.dumps(card))
    with pytest.raises(BadBundle, match="passed: expected what its 1 decisions say"):
        open_bundle(gated)


def test_a_record_of_another_bundle_is_refused(gated: Path, tmp_path: Path) -> None:
    """The record of a bundle that passed does not release one that was not tested."""
    other = known_bundle(tmp_path / "other", white=18.0)
    card = json.loads((other / "card.json").read_text())
    card["gates"] = json.loads((gated / "card.json").read_text())["gates"]
    (other / "card.json").write_text(json.dumps(card))
    with pytest.raises(BadBundle, match=f"of a gate of {card['model_id']}"):
        open_bundle(other)


def test_a_graph_replaced_after_the_gate_is_refused(gated: Path, tmp_path: Path) -> None:
    other = known_bundle(tmp_path / "other", white=18.0)
    (gated / "model.onnx").write_bytes((other / "model.onnx").read_bytes())
    with pytest.raises(BadBundle, match="checksum"):
        open_bundle(gated)


def test_a_bundle_of_format_1_gets_no_record(gated: Path, policy: Path) -> None:
    card = json.loads((gated / "card.json").read_text())
    card |= {"format": 1, "model_id": card["files"]["model.onnx"]["sha256"][:12]}
    del card["gates"]
    (gated / "card.json").write_text(json.dumps(card))
    opened = open_bundle(gated)
    with pytest.raises(BadBundle, match=r"format 1, .*; export it again"):
        add_gate(opened, _record("0" * 32, policy))
