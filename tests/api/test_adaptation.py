"""`ss.adapt` and `ss.gate_bundle`: each call is that of the room below, as a result with table and HTML."""

from __future__ import annotations

import pytest
from tests.adaptation.gate.gate_cases import known_bundle, known_data, write_policy
from tests.api.result_checks import check_result

import steelsight as ss
from steelsight.adaptation.options import AdaptOptions
from steelsight.counterfactuals.pasting import counterfactual, removal
from steelsight.errors import AdaptationRefused, BadData, BadRecipe
from steelsight.runtime.bundle.open import open_bundle

COUNTS = {"none": 14, "bar": 12, "block": 10}
QUICK = {"folds": 3, "repeats": 1}


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    monkeypatch.setattr(counterfactual, "RESAMPLES", 200)
    monkeypatch.setattr(removal, "RESAMPLES", 200)


@pytest.fixture(scope="module")
def stained(tmp_path_factory):
    """DATA: 120 sheets of which half are defective; half of the others have a stain."""
    return known_data(tmp_path_factory.mktemp("stained") / "DATA", 120)


def test_a_bundle_is_adapted(make_bundle, make_data, tmp_path):
    stages = []
    done = ss.adapt(
        make_bundle(),
        make_data(COUNTS),
        tmp_path / "new",
        progress=lambda event: stages.append((event.kind, event.message)),
        **QUICK,
    )
    check_result(done)
    card = open_bundle(tmp_path / "new").card
    assert done.bundle == tmp_path / "new"
    assert done.title == f"new: f32; {card.threshold_statement}"
    numbers = done.as_dict()
    assert set(numbers) == {"bundle", "comparison", "notes", "card"}
    assert numbers["bundle"] == str(tmp_path / "new")
    assert numbers["card"] == card.model_dump(mode="json")
    assert numbers["notes"] == list(done.notes)
    assert {kind for kind, _ in stages} == {"stage"}
    assert all(message for _, message in stages)


def test_the_table_of_an_adaptation_has_both_heads(make_bundle, make_data, tmp_path):
    done = ss.adapt(make_bundle(), make_data(COUNTS), tmp_path / "new", **QUICK)
    frame = done.to_pandas().set_index("figure")
    compared = done.as_dict()["comparison"]
    for column, key in (("own head", "own"), ("new head", "new"), ("gain", "gain")):
        assert frame.loc["balanced accuracy", column] == compared["balanced_accuracy"][key]["estimate"]
    assert frame.loc["balanced accuracy", "gain low"] > 0
    assert {"defect AUC", "log loss, lower better"} <= set(frame.index)
    assert "<td>balanced accuracy</td>" in done._repr_html_()


def test_an_adaptation_takes_a_whole_option_class_and_opened_data(make_bundle, make_data, tmp_path):
    old, data = make_bundle(), make_data({"good": 14, "bar": 12, "block": 10}, looks={"good": "none"})
    done = ss.adapt(old, ss.open_data(data), tmp_path / "new", options=AdaptOptions(**QUICK, probes=0))
    assert done.as_dict()["card"]["source"]["adapted"][0]["sheets"] == 36
    with pytest.raises(BadRecipe, match="folds: expected settings or `options`, got both"):
        ss.adapt(old, data, tmp_path / "other", options=AdaptOptions(), folds=3)


def test_an_adaptation_without_use_is_refused(make_bundle, make_data, tmp_path):
    old = make_bundle()
    with pytest.raises(BadData, match="DATA has dots, which the bundle does not have"):
        ss.adapt(old, make_data(COUNTS | {"dots": 10}), tmp_path / "new", **QUICK)
    same = make_data(COUNTS, "SAME", looks=dict.fromkeys(COUNTS, "none"))
    with pytest.raises(AdaptationRefused, match="not better than its own"):
        ss.adapt(old, same, tmp_path / "new", **QUICK)
    with pytest.raises(BadRecipe, match="fold: expected one of also, certify, new"):
        ss.adapt(old, same, tmp_path / "new", fold=3)
    assert not (tmp_path / "new").exists()


def test_a_bundle_passes_its_gate(stained, tmp_path):
    bundle, policy = known_bundle(tmp_path / "bundle"), write_policy(tmp_path)
    policy.write_text(
        '[[shortcut]]\nnuisance = "stain"\nmost_excess = 0.1\n[quality]\nleast_accuracy = 0.9\n'
    )
    stages = []
    done = ss.gate_bundle(
        bundle,
        stained,
        policy,
        out=tmp_path / "copy",
        progress=lambda event: stages.append(event.kind),
        threads=1,
    )
    check_result(done)
    assert done.passed
    assert done.title == "the bundle may be released"
    assert done.folder == tmp_path / "copy"
    assert open_bundle(done.folder).card.gates == (done.gate.record,)
    assert open_bundle(bundle).card.gates == ()  # only the copy has the record
    assert [row[0] for row in done.table().rows] == ["passed", "passed", "passed"]
    assert done.to_pandas()["why"][0] == done.gate.record.shortcuts[0].why
    assert done.as_dict()["notes"] == list(done.notes)
    assert set(stages) == {"stage"}


def test_a_bundle_with_a_shortcut_does_not_pass(stained, tmp_path):
    bundle = known_bundle(tmp_path / "bundle", white=18.0)
    done = ss.gate_bundle(bundle, stained, write_policy(tmp_path), threads=1)
    check_result(done)
    assert not done.passed
    assert done.title == "the bundle may not be released"
    assert done.folder == bundle
    assert "exceeded" in done._repr_html_()
    assert open_bundle(bundle).card.gates == (done.gate.record,)


def test_a_policy_without_a_limit_is_refused(stained, tmp_path):
    bundle = known_bundle(tmp_path / "bundle")
    policy = write_policy(tmp_path, '[[shortcut]]\nnuisance = "stain"\n')
    with pytest.raises(BadRecipe, match="expected most_flipped or most_excess, found neither"):
        ss.gate_bundle(bundle, stained, policy)
    assert open_bundle(bundle).card.gates == ()
