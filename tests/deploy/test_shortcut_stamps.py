"""Proofs of shortcuts in the card of a bundle; proofs of other weights are left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from steelsight.deploy.shortcut_stamps import read_search, read_stamps
from steelsight.errors import BadCheckpoint
from steelsight.runtime.bundle.card import BundleCard
from steelsight.runtime.bundle.readme import bundle_readme


def _write(run: Path, name: str, weights: str, **changes: object) -> Path:
    proof = {
        "nuisance": name,
        "suspect": "none",
        "verdict": "proven",
        "because": "it flips many",
        "pasted": {"receivers": 300, "excess": {"estimate": 0.4, "low": 0.35, "high": 0.46, "level": 0.95}},
    } | changes
    path = run / "shortcuts" / f"prove-{name}" / "proof.json"
    path.parent.mkdir(parents=True)
    told = {"weights_sha256": weights, "data": "mill", "data_hash": "abc", "proof": proof}
    path.write_text(json.dumps(told))
    return path


def test_proofs_of_these_weights_are_stamped(tmp_path: Path) -> None:
    _write(tmp_path, "stain", "ours")
    _write(tmp_path, "end", "ours", verdict="inconclusive", pasted=None)
    _write(tmp_path, "smudge", "other")
    end, stain = read_stamps(tmp_path, "ours")
    assert (stain.nuisance, stain.verdict, stain.pasted, stain.data) == ("stain", "proven", 300, "mill")
    assert stain.excess == (0.4, 0.35, 0.46)
    assert (end.verdict, end.excess, end.pasted) == ("inconclusive", None, 0)


def test_a_run_without_proofs_has_no_stamps(tmp_path: Path) -> None:
    assert read_stamps(tmp_path, "ours") == ()


@pytest.mark.parametrize("text", ["{", "[]", '{"weights_sha256": "ours"}'])
def test_a_damaged_proof_is_refused(tmp_path: Path, text: str) -> None:
    _write(tmp_path, "stain", "ours").write_text(text)
    with pytest.raises(BadCheckpoint, match="expected a proof as `steelsight shortcuts prove` writes it"):
        read_stamps(tmp_path, "ours")


def test_an_unknown_verdict_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, "stain", "ours", verdict="surely")
    with pytest.raises(BadCheckpoint, match="prove again, or remove the folder"):
        read_stamps(tmp_path, "ours")


def _card() -> BundleCard:
    return BundleCard.model_validate(
        {
            "model_id": "0" * 12,
            "task": "binary",
            "class_names": ["none", "defect"],
            "model": "adhoc",
            "head": "study",
            "input": {"height": 64, "width": 400, "fit": "stretch"},
            "graph": {"opset": 18, "grid": [4, 25], "embedding": 32},
            "precision": "f32",
            "files": {"model.onnx": {"sha256": "0" * 64, "size": 1}},
        }
    )


def test_the_readme_lists_them(tmp_path: Path) -> None:
    _write(tmp_path, "stain", "ours")
    card = _card()
    assert "No shortcut was tested" in bundle_readme(card)
    stamped = card.model_copy(update={"shortcuts": read_stamps(tmp_path, "ours")})
    assert "- stain → none: **proven** on `mill`; it flips many." in bundle_readme(stamped)


def _write_search(run: Path, **search: str) -> Path:
    path = run / "shortcuts" / "shortcuts.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "weights_sha256": "ours",
        "data": "mill",
        "split": "test",
        "outcome": "No finding among 9 candidates.",
    }
    path.write_text(json.dumps({"find": {"sheets": 60}, "search": facts | search}))
    return path


def test_the_readme_tells_of_a_search_before_any_proof(tmp_path: Path) -> None:
    _write_search(tmp_path)
    words = read_search(tmp_path, "ours")
    assert words == "On 60 test sheets of `mill`: No finding among 9 candidates."
    readme = bundle_readme(_card().model_copy(update={"shortcut_search": words}))
    assert words in readme
    assert "No shortcut was tested" not in readme
    assert "No shortcut was proven or refuted by a test" in readme
    _write(tmp_path, "stain", "ours")
    update = {"shortcut_search": words, "shortcuts": read_stamps(tmp_path, "ours")}
    both = bundle_readme(_card().model_copy(update=update))
    assert both.index(words) < both.index("- stain → none: **proven**")
    assert "No shortcut was proven" not in both


def test_searches_of_other_weights_or_unnamed_ones_are_left_out(tmp_path: Path) -> None:
    assert read_search(tmp_path, "ours") == ""
    _write_search(tmp_path, weights_sha256="other")
    assert read_search(tmp_path, "ours") == ""
    _write_search(tmp_path).write_text(json.dumps({"find": {"sheets": 60}}))
    assert read_search(tmp_path, "ours") == ""


@pytest.mark.parametrize("text", ["{", "[]", '{"search": {"weights_sha256": "ours"}}'])
def test_a_damaged_search_is_refused(tmp_path: Path, text: str) -> None:
    _write_search(tmp_path).write_text(text)
    with pytest.raises(BadCheckpoint, match="expected a search as `steelsight shortcuts find` writes it"):
        read_search(tmp_path, "ours")
