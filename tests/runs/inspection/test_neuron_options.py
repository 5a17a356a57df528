"""From the options of `inspect neurons` to the plan of an atlas."""

from dataclasses import replace

import pytest

from steelsight.errors import BadRecipe
from steelsight.inspection.neurons.settings import GROWN, PLAIN, Neuron
from steelsight.runs.inspection.neurons import plan_atlas, read_neuron
from steelsight.runs.inspection.options import NeuronOptions


def test_defaults_are_both_forms_between_black_and_white():
    plan = plan_atlas(NeuronOptions())
    assert (plan.count, plan.choose, plan.neurons, plan.start) == (8, "telling", (), None)
    assert plan.plain == replace(PLAIN, clip=True)
    assert plan.grown == replace(GROWN, clip=True)


def test_every_option_reaches_the_optimisation_it_belongs_to():
    options = NeuronOptions(
        form="both", steps=9, kernel=(4, 6), clip=False, colour=True, jitter=2, variation=0.5, fourier=1.0
    )
    plan = plan_atlas(options)
    shared = {"clip": False, "colour": True, "jitter": 2, "variation": 0.5, "fourier": 1.0}
    assert plan.plain == replace(PLAIN, steps=9, **shared)
    assert plan.grown == replace(GROWN, kernels=(4, 6), **shared)


@pytest.mark.parametrize(("form", "plain", "grown"), [("plain", True, False), ("grown", False, True)])
def test_one_form_alone(form, plain, grown):
    plan = plan_atlas(NeuronOptions(form=form))
    assert ((plan.plain is not None), (plan.grown is not None)) == (plain, grown)


def test_a_neuron_as_text():
    assert read_neuron("features.9:12") == Neuron("features.9", 12)
    assert read_neuron("a:b:3@4,5") == Neuron("a:b", 3, (4, 5))


@pytest.mark.parametrize("text", ["features.9", ":3", "a:x", "a:3@4", "a:3@4,5,6", "a:-1", ""])
def test_a_misspelt_neuron_is_refused(text):
    with pytest.raises(BadRecipe, match="expected LAYER:CHANNEL or LAYER:CHANNEL@ROW,COLUMN"):
        read_neuron(text)


def test_values_outside_their_bounds_are_refused():
    with pytest.raises(BadRecipe, match="--steps: expected at least 1, got 0"):
        NeuronOptions(steps=0)
