"""Transplants: none, all and some parts replaced, against mixed models bit for bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from steelsight.errors import BadInput
from steelsight.inspection.transplant.parts import list_parts
from steelsight.inspection.transplant.replace import composition_logits, plan_steps, replace_parts, transplant
from steelsight.models.catalog import MODELS, SheetClassifier
from steelsight.models.inputs import to_input

Build = Callable[..., SheetClassifier]


def ask(model: SheetClassifier, sheets: np.ndarray, batch: int) -> np.ndarray:
    """The plain forward pass, on the same batches."""
    parts = [sheets[start : start + batch] for start in range(0, len(sheets), batch)]
    with torch.inference_mode():
        return np.concatenate([model(to_input(torch.from_numpy(part))).numpy() for part in parts])


def snapshot(model: SheetClassifier) -> tuple[object, ...]:
    """All that must be as it was."""
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    hooks = [len(module._forward_hooks) for module in model.modules()]
    return state, modes, [p.requires_grad for p in model.parameters()], hooks


def same(first: tuple[object, ...], second: tuple[object, ...]) -> bool:
    states = first[0], second[0]
    return first[1:] == second[1:] and all(torch.equal(states[0][k], states[1][k]) for k in states[0])


@pytest.mark.parametrize("name", MODELS)
def test_parts_of_the_same_model_change_nothing(build: Build, sheets: np.ndarray, name: str) -> None:
    model = build(name)
    everywhere = range(len(list_parts(model)))
    mixed = replace_parts(model, model, everywhere)
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in mixed.state_dict().items())
    ways = [tuple(int(i < k) for i in everywhere) for k in (0, 1, len(everywhere) // 2, len(everywhere))]
    logits = composition_logits([model, mixed], ways, sheets, batch=4)
    own = ask(model, sheets, 4)
    assert all(np.array_equal(row, own) for row in logits)


@pytest.mark.parametrize(("name", "outputs"), [*((name, 2) for name in MODELS), ("adhoc", 3)])
def test_every_step_equals_the_mixed_model(build: Build, sheets: np.ndarray, name: str, outputs: int) -> None:
    receiver, donor = build(name), build(name, outputs=outputs, seed=1)
    taken = tuple(range(len(list_parts(receiver)) - (outputs != 3)))
    whole = replace_parts(receiver, donor, taken)
    steps = plan_steps("donor", taken)
    count = len(list_parts(receiver))
    if name != "adhoc":
        sheets = sheets[:3]
        steps = [steps[i] for i in (0, 5, len(steps) // 2, len(steps) - 1)]
    ways = [tuple(int(i in step.taken) for i in range(count)) for step in steps]
    logits = composition_logits([receiver, whole], ways, sheets, batch=4)
    for row, step in zip(logits, steps, strict=True):
        assert np.array_equal(row, ask(replace_parts(receiver, donor, step.taken), sheets, 4))
    if outputs == 3:
        assert np.array_equal(ask(whole, sheets, 4), ask(donor, sheets, 4))


def test_running_statistics_are_replaced_with_their_part(build: Build) -> None:
    receiver, donor = build("vgg16_bn"), build("vgg16_bn", seed=1)
    mixed = replace_parts(receiver, donor, [1]).state_dict()
    for key, value in mixed.items():
        source = donor if key in list_parts(receiver)[1].keys else receiver
        assert torch.equal(value, source.state_dict()[key]), key
    assert "features.4.running_mean" in list_parts(receiver)[1].keys


def test_everything_but_weights_stays_the_receivers(build: Build, sheets: np.ndarray) -> None:
    common = {"name": "squeezenet_reduced", "head": "direct"}
    receiver, donor = build(**common, pooling="average"), build(**common, pooling="max", seed=1)
    everywhere = range(len(list_parts(receiver)))
    mixed = replace_parts(receiver, donor, everywhere)
    assert mixed.head.pooling.kind == "average"
    logits = composition_logits([receiver, mixed], [tuple(1 for _ in everywhere)], sheets)
    assert np.array_equal(logits[0], ask(mixed, sheets, 32))


def test_models_are_left_as_found(build: Build, sheets: np.ndarray) -> None:
    receiver, donor = build(), build(seed=1)
    donor.train()
    receiver.head.dropout1.train()
    next(donor.parameters()).requires_grad_(False)
    before = snapshot(receiver), snapshot(donor)
    transplant(receiver, {"d": donor}, sheets, np.arange(7) % 3, rng=np.random.default_rng(0), resamples=10)
    with pytest.raises(BadInput, match="its linear layer is made for 48x64 images, got 48x60"):
        composition_logits([receiver, donor], [(0,) * 7], sheets[:, :, :60])
    assert same(before[0], snapshot(receiver))
    assert same(before[1], snapshot(donor))


def test_steps_by_direction(build: Build, sheets: np.ndarray) -> None:
    receiver = build()
    donors = {"two": build(outputs=2, seed=1), "three": build(seed=2)}
    found = transplant(receiver, donors, sheets, np.arange(7) % 3, rng=np.random.default_rng(0), resamples=20)
    assert found.donors == ("two", "three")
    assert list(found.left_out["two"]) == ["head linear3"]
    assert [s.taken for s in found.curve("two", "input")] == [tuple(range(k)) for k in range(7)]
    assert [s.taken for s in found.curve("two", "output")] == [tuple(range(6 - k, 6)) for k in range(7)]
    assert [s.taken for s in found.curve("three", "alone")] == [(k,) for k in range(7)]
    assert found.after_features("two").taken == (0, 1, 2, 3)
    assert found.after_all("three").taken == tuple(range(7))
    assert found.curve("two", "input")[0].row == found.curve("three", "output")[0].row == 0
    first, alone = found.curve("two", "input")[1], found.curve("two", "alone")[0]
    assert first.row == alone.row, "one model, one row"
    assert len(found.scores.estimates["accuracy"]) == 1 + (3 * 6 - 3) + (3 * 7 - 3)
    verdicts = ask(receiver, sheets, 7).argmax(1)
    assert found.scores.estimates["accuracy"][0] == pytest.approx((verdicts == np.arange(7) % 3).mean())
    own = ask(donors["three"], sheets, 7).argmax(1)
    assert found.after_all("three").changed == (own != verdicts).sum()
    assert found.majority == pytest.approx(3 / 7)


def test_a_transplant_into_itself_changes_no_score(build: Build, sheets: np.ndarray) -> None:
    model = build()
    found = transplant(
        model, {"itself": model}, sheets, np.arange(7) % 3, rng=np.random.default_rng(0), resamples=20
    )
    for step in found.steps:
        change = found.scores.difference(step.row, 0, "accuracy").difference
        assert (step.changed, change.estimate) == (0, 0)
        bound = 0.0 if step.row == 0 else 1 - 0.025 ** (1 / 7)  # of 0 differences on 7 sheets, exact
        assert (change.low, change.high) == pytest.approx((-bound, bound))


@pytest.mark.parametrize(
    ("donors", "labels", "message"),
    [
        ((), np.zeros(7, dtype=np.int64), "expected at least one donor, got none"),
        (("d",), np.zeros(6, dtype=np.int64), "expected one label a sheet, got 6 for 7 sheets"),
        (("d",), np.full(7, 3), "expected class indices from 0 to 2, got 3"),
    ],
)
def test_bad_input(build: Build, sheets: np.ndarray, donors, labels, message) -> None:
    with pytest.raises(BadInput, match=message):
        transplant(
            build(), {name: build(seed=1) for name in donors}, sheets, labels, rng=np.random.default_rng(0)
        )


def test_an_empty_set_of_sheets_is_refused(build: Build, sheets: np.ndarray) -> None:
    nothing = np.zeros(0, dtype=np.int64)
    with pytest.raises(BadInput, match="got 0 for 0 sheets"):
        transplant(build(), {"d": build()}, sheets[:0], nothing, rng=np.random.default_rng(0))


@pytest.mark.parametrize("position", [-1, 6, 7])
def test_a_position_that_does_not_fit_is_refused(build: Build, position: int) -> None:
    message = rf"0 to 6, without head linear3 \(head\.linear3\.weight is 3x32 .*; got {position}"
    with pytest.raises(BadInput, match=message):
        replace_parts(build(), build(outputs=2), [position])
