"""Engines agree, batches do not matter, and the thresholds of the card are applied."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from steelsight.errors import BadBundle, BadInput
from steelsight.runtime.bundle.card import Familiarity
from steelsight.runtime.bundle.graph.check import CheckedGraph
from steelsight.runtime.bundle.open import FeatureStatistics, open_bundle
from steelsight.runtime.engine.engine import Outputs, decide, open_engine
from steelsight.types import Reason, State

Make = Callable[..., Path]


def test_the_two_engines_agree(make_bundle: Make, sheets: np.ndarray) -> None:
    bundle = open_bundle(make_bundle())
    one, other = (open_engine(bundle, name, threads=1)(sheets) for name in ("openvino", "onnxruntime"))
    for field in ("logits", "maps", "embedding"):
        assert getattr(one, field) == pytest.approx(getattr(other, field), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_outputs_do_not_depend_on_the_other_sheets_of_a_batch(
    make_bundle: Make, sheets: np.ndarray, name: str
) -> None:
    engine = open_engine(open_bundle(make_bundle()), name, threads=1, batch=4)
    whole = engine(sheets)
    assert whole.logits.shape == (10, 3)
    others = engine(sheets[[0, 7, 8, 5, 4]])
    assert (others.logits[0] == whole.logits[0]).all()  # to the last bit: the same place in a pass
    assert engine(sheets[::-1]).logits[::-1] == pytest.approx(whole.logits, rel=1e-4, abs=1e-5)
    alone = engine(sheets[3:4])
    assert whole.logits[3] == pytest.approx(alone.logits[0], rel=1e-4, abs=1e-5)
    assert engine(sheets[:0]).maps.shape == (0, 3, 3, 5)


def test_images_of_another_type_or_size_are_refused(make_bundle: Make, sheets: np.ndarray) -> None:
    engine = open_engine(open_bundle(make_bundle()))
    for wrong in (sheets.astype(np.float32), sheets[0], sheets[:, :-1]):
        with pytest.raises(BadInput, match=r"expected gray uint8 of shape \(n, 64, 96\)"):
            engine(wrong)


def test_unknown_or_unavailable_engines_are_refused(
    make_bundle: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = open_bundle(make_bundle())
    with pytest.raises(BadInput, match="expected one of openvino, onnxruntime, got 'tensorrt'"):
        open_engine(bundle, "tensorrt")
    with pytest.raises(BadInput, match="expected batch of at least 1"):
        open_engine(bundle, batch=0)
    with pytest.raises(BadInput, match=r"expected model.int8.onnx for int8, found none"):
        open_engine(bundle, precision="int8")
    with pytest.raises(BadInput, match="bf16 is a mode of OpenVINO"):
        open_engine(bundle, "onnxruntime", precision="bf16")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BadInput, match="it is not installed"):
        open_engine(bundle, "onnxruntime")


def _outputs(logits: list[list[float]], width: int = 2) -> Outputs:
    rows = np.array(logits, dtype=np.float32)
    return Outputs(rows, np.zeros((*rows.shape, 1, 1), np.float32), np.zeros((len(rows), width), np.float32))


def test_temperature_and_threshold_of_the_card_are_applied(make_bundle: Make) -> None:
    card = open_bundle(make_bundle()).card.model_copy(update={"temperature": 2.0, "threshold": 0.6})
    logits = [[4.0, 0.0, 0.0], [0.0, 0.1, 0.0], [0.0, 0.0, 2.0]]
    found = decide(_outputs(logits), card, None)
    wanted = softmax(np.array(logits) / 2, axis=1)
    assert found.probabilities == pytest.approx(wanted, abs=1e-6)
    assert found.labels == ("none", "type 1", "type 2")
    assert found.classes == ((), (1,), (2,))
    assert found.states == (State.DECIDED, State.DOUBTFUL, State.DOUBTFUL)  # .79, .35, .58
    assert found.reasons == (Reason.CONFIDENT, Reason.LOW_CONFIDENCE, Reason.LOW_CONFIDENCE)
    always = decide(_outputs(logits), card.model_copy(update={"threshold": None}), None)
    assert set(always.reasons) == {Reason.NO_THRESHOLD}
    assert np.isnan(always.distance).all()


def test_unfamiliar_sheets_are_never_decided(make_bundle: Make) -> None:
    familiar = Familiarity(limit=3.0, kept=0.99)
    card = open_bundle(make_bundle()).card.model_copy(update={"familiarity": familiar, "threshold": 0.9})
    statistics = FeatureStatistics(np.array([[0, 0], [10, 0]], np.float32), np.eye(2, dtype=np.float32) * 2)
    outputs = _outputs([[9.0, 0.0, 0.0]] * 3)
    outputs.embedding[:] = [[1.0, 1.0], [9.0, 0.0], [5.0, 0.0]]
    found = decide(outputs, card, statistics)
    assert found.distance == pytest.approx([2 * 2**0.5, 2.0, 10.0])
    assert found.states == (State.DECIDED, State.DECIDED, State.UNKNOWN_INPUT)
    assert found.reasons[2] == Reason.UNFAMILIAR


def test_multilabel_verdicts_name_every_type_present(make_bundle: Make) -> None:
    card = open_bundle(make_bundle()).card.model_copy(
        update={"task": "multilabel", "class_names": ("type 1", "type 2", "type 3")}
    )
    found = decide(_outputs([[3.0, 2.0, -3.0], [-4.0, -3.0, -2.0]]), card, None)
    assert found.labels == ("type 1 + type 2", "none")
    assert found.confidence == pytest.approx([1 / (1 + np.exp(-2)), 1 - 1 / (1 + np.exp(2))])


def test_outputs_with_nan_are_refused(make_bundle: Make) -> None:
    card = open_bundle(make_bundle()).card
    with pytest.raises(BadInput, match="the graph answered NaN or infinity"):
        decide(_outputs([[np.nan, 0.0, 0.0]]), card, None)


def test_a_graph_the_engine_cannot_run_is_a_bad_bundle(
    make_bundle: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = open_bundle(make_bundle())
    bundle.files["model.onnx"] = b"not a graph"
    for name in ("openvino", "onnxruntime"):
        with pytest.raises(BadBundle, match="expected an ONNX graph"):
            open_engine(bundle, name)
    monkeypatch.setattr(CheckedGraph, "encode", lambda self: b"not a graph")
    for name in ("openvino", "onnxruntime"):
        with pytest.raises(BadBundle, match="refuses it"):
            open_engine(open_bundle(bundle.folder), name)


def test_a_threshold_of_1_decides_nothing(make_bundle: Make) -> None:
    card = open_bundle(make_bundle()).card
    certain = _outputs([[800.0, 0.0, 0.0]])
    for threshold, state in ((1.0, State.DOUBTFUL), (float(np.nextafter(1.0, 0.0)), State.DECIDED)):
        found = decide(certain, card.model_copy(update={"threshold": threshold}), None)
        assert found.confidence.tolist() == [1.0]
        assert found.states == (state,)
