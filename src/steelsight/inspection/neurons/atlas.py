"""Profiles of neurons: images that maximise each, real sheets with the highest responses, and class means.

Where a real sheet has a higher response than the optimised image, the ascent is repeated from that sheet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int

from steelsight.errors import BadData, BadInput, BadRecipe
from steelsight.evaluation.intervals.bootstrap import Groups
from steelsight.inspection.neurons.maximise import MaximisedImages, maximise
from steelsight.inspection.neurons.nature import filter_agreement, fine_share
from steelsight.inspection.neurons.settings import GROWN_SHEET, PLAIN_SHEET, Ascent, Neuron
from steelsight.inspection.neurons.survey import (
    Crop,
    LayerSurvey,
    class_responses,
    class_variance_share,
    cut_crops,
    survey,
)
from steelsight.models.catalog import SheetClassifier
from steelsight.types import GrayBatch, GrayImage, Interval, Labels

__all__ = ["Atlas", "AtlasPlan", "LayerPage", "NeuronProfile", "NeuronSheets", "make_atlas"]

SAMPLE = 12  # neurons of each layer whose filter agreement is measured


@dataclass(frozen=True)
class NeuronSheets:
    """The sheets on which neurons are surveyed, with classes and groups."""

    images: GrayBatch
    labels: Labels  # a class each; below 0 = none that counts
    class_names: tuple[str, ...]
    ids: tuple[str, ...]
    groups: Groups | None = None
    clean: int | None = 0  # the defect-free class; None = there is none


@dataclass(frozen=True)
class AtlasPlan:
    """Which neurons, and how their images are made."""

    count: int = 8  # neurons a layer
    choose: str = "telling"  # telling: those that separate classes best; drawn: at random
    neurons: tuple[Neuron, ...] = ()  # these instead
    plain: Ascent | None = PLAIN_SHEET
    grown: Ascent | None = GROWN_SHEET
    start: GrayImage | None = None  # a sheet both forms start from; None = noise
    resamples: int = 400

    def __post_init__(self) -> None:
        if self.choose not in ("telling", "drawn"):
            raise BadRecipe(f"choose: expected telling or drawn, got {self.choose!r}")
        if self.count < 1:
            raise BadRecipe(f"count: expected at least 1 neuron a layer, got {self.count}")
        if self.plain is None and self.grown is None:
            raise BadRecipe("form: expected plain, grown or both, got none")


@dataclass(frozen=True)
class NeuronProfile:
    """One neuron."""

    neuron: Neuron
    plain: Float32[np.ndarray, "c h w"] | None
    grown: Float32[np.ndarray, "c h2 w2"] | None
    stages: tuple[Float32[np.ndarray, "c _ _"], ...]  # of the second form, as it grew
    value: float  # response to the plain image, or without one to the second form
    grown_value: float
    kernel: int
    best_real: float  # highest response of all sheets, by the same measure
    best_sheet: str
    restarted: bool  # from that sheet
    crops: tuple[Crop, ...]
    responses: dict[str, Interval]
    class_share: float  # share of the response's variance that lies between classes
    agreement: float  # 1 = one linear filter

    def as_dict(self, ids: Sequence[str]) -> dict[str, Any]:
        """Every number, no pixels."""
        return {
            "neuron": self.neuron.name,
            "achieved": self.value,
            "achieved_grown": None if self.grown is None else self.grown_value,
            "blur": self.kernel,
            "best_real": self.best_real,
            "best_sheet": self.best_sheet,
            "restarted_from_it": self.restarted,
            "telling": self.class_share,
            "filter_agreement": self.agreement,
            "responses": {name: asdict(interval) for name, interval in self.responses.items()},
            "crops": [
                {"sheet": ids[crop.sheet], "value": crop.value, "box": list(crop.box)} for crop in self.crops
            ],
            "fine_share": {
                form: float(fine_share(image[None])[0])
                for form, image in (("plain", self.plain), ("grown", self.grown))
                if image is not None
            },
        }


@dataclass(frozen=True)
class LayerPage:
    """One layer of the atlas."""

    layer: str
    grid: tuple[int, int]
    channels: int
    receptive_field: tuple[int, int] | None  # of a place, height and width in px; None = the whole sheet
    dead: tuple[int, ...]  # channels that are not above zero on any sheet shown
    agreements: tuple[float, ...]  # of neurons drawn at random among the others; see filter_agreement
    profiles: tuple[NeuronProfile, ...]
    note: str = ""


@dataclass(frozen=True)
class Atlas:
    """Layers x neurons."""

    plan: AtlasPlan
    shown: NeuronSheets
    layers: tuple[LayerPage, ...]

    def as_dict(self) -> dict[str, Any]:
        """Every number of the atlas, no pixels."""
        return {
            "sheets": len(self.shown.ids),
            "classes": list(self.shown.class_names),
            "plain": None if self.plan.plain is None else asdict(self.plan.plain),
            "grown": None if self.plan.grown is None else asdict(self.plan.grown),
            "layers": [
                {
                    "layer": page.layer,
                    "grid": list(page.grid),
                    "channels": page.channels,
                    "reach": None if page.receptive_field is None else list(page.receptive_field),
                    "dead": list(page.dead),
                    "filter_agreements": list(page.agreements),
                    "note": page.note,
                    "neurons": [profile.as_dict(self.shown.ids) for profile in page.profiles],
                }
                for page in self.layers
            ],
        }


def make_atlas(
    model: SheetClassifier,
    shown: NeuronSheets,
    layers: Sequence[str],
    plan: AtlasPlan,
    *,
    rng: np.random.Generator,
    seed: int,
    say: Callable[[str], None] = lambda _text: None,
) -> Atlas:
    """Survey the layers, choose neurons, and profile each.

    rng     draws neurons and resamples
    seed    of every ascent: the same neuron gets the same start in every model
    raises  UnknownLayer; BadData for no sheets or a single class; BadInput for a neuron that does not exist
    """
    _refuse_few(shown)
    names = list(dict.fromkeys([neuron.layer for neuron in plan.neurons] or layers))
    say(f"showing {len(shown.images)} sheets")
    surveys = survey(model, shown.images, names)
    pages = []
    for name in names:
        found = surveys[name]
        chosen = _choose(found, shown.labels, plan, rng)
        say(f"{name}: {len(chosen)} neurons")
        pages.append(_page(model, found, chosen, shown, plan, rng, seed))
    return Atlas(plan, shown, tuple(pages))


def _refuse_few(shown: NeuronSheets) -> None:
    present = np.unique(shown.labels[shown.labels >= 0])
    if len(shown.images) == 0:
        raise BadData("neurons: expected sheets to show the model, got none; choose another --split")
    if present.size < 2:
        raise BadData(
            f"neurons: expected sheets of at least two classes, got {present.size} among "
            f"{len(shown.images)} sheets; choose another --split, or show more sheets"
        )


def _choose(found: LayerSurvey, labels: Labels, plan: AtlasPlan, rng: np.random.Generator) -> list[Neuron]:
    own = [neuron for neuron in plan.neurons if neuron.layer == found.layer]
    channels = found.means.shape[1]
    for neuron in own:
        if not 0 <= neuron.channel < channels:
            raise BadInput(
                f"neuron {neuron.name}: the layer has {channels} channels, 0 to {channels - 1}, "
                f"got {neuron.channel}"
            )
    if own:
        return own
    alive = np.setdiff1d(np.arange(channels), found.dead)
    order: Int[np.ndarray, " a"] = (
        alive[np.argsort(-class_variance_share(found.means, labels)[alive], kind="stable")]
        if plan.choose == "telling"
        else rng.permutation(alive)
    )
    return [Neuron(found.layer, channel) for channel in sorted(order[: plan.count].tolist())]


def _page(
    model: SheetClassifier,
    found: LayerSurvey,
    neurons: Sequence[Neuron],
    shown: NeuronSheets,
    plan: AtlasPlan,
    rng: np.random.Generator,
    seed: int,
) -> LayerPage:
    drawn = rng.permutation(np.setdiff1d(np.arange(found.means.shape[1]), found.dead))[:SAMPLE]
    note = "" if neurons else "no channel is ever above zero over these sheets"
    grown: MaximisedImages | None = None
    if neurons:
        grown, failure = _grown(model, neurons, plan, seed)
        note = failure or note
    plain, values, restarted = _plain(model, found, neurons, shown, plan, seed)
    columns = [neuron.channel for neuron in neurons]
    responses = class_responses(
        found.means[:, columns], shown.labels, shown.class_names, shown.groups, rng=rng,
        resamples=plan.resamples,
    )  # fmt: skip
    agreement = filter_agreement(model, found, columns, shown.images)
    shares = class_variance_share(found.means, shown.labels)
    profiles = []
    for row, neuron in enumerate(neurons):
        real = _measure(found, neuron)
        best = int(real.argmax())
        profiles.append(
            NeuronProfile(
                neuron=neuron,
                plain=None if plain is None else plain[row],
                grown=None if grown is None else grown.images[row],
                stages=() if grown is None else tuple(stage[row] for stage in grown.stages),
                value=float(values[row]) if values is not None else float(_of(grown).values[row]),
                grown_value=float("nan") if grown is None else float(grown.values[row]),
                kernel=0 if grown is None else grown.kernels[row],
                best_real=float(real[best]),
                best_sheet=shown.ids[best],
                restarted=row in restarted,
                crops=tuple(cut_crops(found, neuron.channel, shown.images)),
                responses=responses[row],
                class_share=float(shares[neuron.channel]),
                agreement=float(agreement[row]),
            )
        )
    return LayerPage(
        found.layer,
        found.grid,
        found.means.shape[1],
        None if found.receptive_field.whole else found.receptive_field.size,
        tuple(found.dead.tolist()),
        tuple(filter_agreement(model, found, drawn.tolist(), shown.images).tolist()),
        tuple(profiles),
        note,
    )


def _grown(
    model: SheetClassifier, neurons: Sequence[Neuron], plan: AtlasPlan, seed: int
) -> tuple[MaximisedImages | None, str]:
    """Images of the second form, or None with a note why the model cannot have them."""
    if plan.grown is None:
        return None, ""
    generator = torch.Generator().manual_seed(seed)
    try:
        return maximise(model, neurons, plan.grown, generator=generator, start=_begin(plan)), ""
    except BadInput as error:
        if plan.plain is None:
            raise
        return None, f"no second form: {error}"


def _plain(
    model: SheetClassifier,
    found: LayerSurvey,
    neurons: Sequence[Neuron],
    shown: NeuronSheets,
    plan: AtlasPlan,
    seed: int,
) -> tuple[Float32[np.ndarray, "n c h w"] | None, Float[np.ndarray, " n"] | None, set[int]]:
    """Images and responses of the plain form, and the rows restarted from a real sheet."""
    if plan.plain is None or not neurons:
        return None, None, set()
    first = maximise(
        model, neurons, plan.plain, generator=torch.Generator().manual_seed(seed), start=_begin(plan)
    )
    images, values = first.images.copy(), first.values.copy()
    real = np.stack([_measure(found, neuron) for neuron in neurons])
    beaten = [row for row in range(len(neurons)) if real[row].max() > 0 and real[row].max() >= values[row]]
    if not beaten:
        return images, values, set()
    again = maximise(
        model,
        [neurons[row] for row in beaten],
        plan.plain,
        generator=torch.Generator().manual_seed(seed),
        start=np.array(shown.images[real[beaten].argmax(1)]),
    )
    taken = set()
    for number, row in enumerate(beaten):
        if again.values[number] > values[row]:
            images[row], values[row] = again.images[number], again.values[number]
            taken.add(row)
    return images, values, taken


def _begin(plan: AtlasPlan) -> GrayBatch | None:
    return None if plan.start is None else plan.start[None]


def _measure(found: LayerSurvey, neuron: Neuron) -> Float32[np.ndarray, " n"]:
    """Responses of real sheets to compare with an image's; for a single place the channel's maximum."""
    table = found.means if neuron.place is None else found.maxima
    answers: Float32[np.ndarray, " n"] = table[:, neuron.channel]
    return answers


def _of(grown: MaximisedImages | None) -> MaximisedImages:
    if grown is None:
        raise BadRecipe("form: neither form was made")
    return grown
