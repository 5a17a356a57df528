"""Keyword settings of the calls of the lab, see `steelsight.api.settings`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypedDict

__all__ = [
    "CalibrateSettings",
    "CompareSettings",
    "ConfidenceSettings",
    "EvaluateSettings",
    "ExplainSettings",
    "ExportSettings",
    "GateSettings",
    "LayerSettings",
    "LeagueSettings",
    "MistakesSettings",
    "ModelSettings",
    "NeuronSettings",
    "ProveSettings",
    "RepairSettings",
    "RobustnessSettings",
    "SearchSettings",
    "SynthSettings",
    "TransplantSettings",
]


class SynthSettings(TypedDict, total=False):
    """Settings of `synth`: `runs.data.options.SynthOptions`."""

    count: int
    seed: int
    size: str
    shares: str
    multi_type_share: float
    stain_given_none: float
    stain_given_defect: float
    stain_may_cover: bool
    end_given_class: str
    sloppiness: float
    quality: str
    version: int
    plate_given_none: float
    compare: Path | None
    workers: int
    force: bool


class ModelSettings(TypedDict, total=False):
    """Settings of `list_models`: `runs.options.ModelOptions`."""

    head: str
    outputs: int
    height: int
    width: int


class EvaluateSettings(TypedDict, total=False):
    """Settings of `Run.evaluate`: `runs.options.EvaluateOptions`."""

    split: str
    noise: float
    prevalence: float | None
    seed: int


class CalibrateSettings(TypedDict, total=False):
    """Settings of `Run.calibrate`: `runs.abstention.options.CalibrationOptions`."""

    split: str
    risk: float
    delta: float
    escape_price: float | None
    overkill_price: float | None
    review_price: float | None
    prevalence: float | None
    by: Literal["certificate", "cost"]
    seed: int


class ConfidenceSettings(TypedDict, total=False):
    """Settings of `Run.confidence`: `runs.options.ConfidenceOptions`."""

    split: str
    on: Path | None
    seed: int


class RobustnessSettings(TypedDict, total=False):
    """Settings of `Run.robustness`: `runs.options.RobustnessOptions`."""

    split: str
    limit: int
    seed: int


class ExplainSettings(TypedDict, total=False):
    """Settings of `Run.explain`: those of `runs.options.ExplainOptions` that are of images."""

    method: str
    target: Sequence[str]
    arrays: bool


class MistakesSettings(TypedDict, total=False):
    """Settings of `Run.mistakes`: those of `runs.options.ExplainOptions` that are of wrong verdicts."""

    method: str
    split: str
    most: int


class LeagueSettings(TypedDict, total=False):
    """Settings of `Run.league`: `runs.options.LeagueOptions`."""

    split: str
    methods: Sequence[str] | None
    choose_on: Path | None
    limit: int | None
    setting: Sequence[str]
    seed: int
    fresh: bool


class SearchSettings(TypedDict, total=False):
    """Settings of `Run.shortcuts`: `shortcuts.find.options.SearchOptions`."""

    split: str
    limit: int
    segments: str
    seed: int


class ProveSettings(TypedDict, total=False):
    """Settings of `Run.prove`: `shortcuts.prove.options.ProofOptions`."""

    split: str
    seed: int
    groups_from: str
    suspected_class: str | None
    per_group: int | None
    limit: int
    material: str


class GateSettings(TypedDict, total=False):
    """Settings of `Run.gate`: `shortcuts.prove.options.GateOptions`."""

    groups_from: str
    split: str
    limit: int
    seed: int


class LayerSettings(TypedDict, total=False):
    """Settings of `Run.layers`: `runs.inspection.options.LayerOptions`."""

    layers: Sequence[str] | None
    fit: str
    split: str
    controls: str | None
    sheets: int
    tsne: int
    perplexity: float | None
    resamples: int
    seed: int


class NeuronSettings(TypedDict, total=False):
    """Settings of `Run.neurons`: `runs.inspection.options.NeuronOptions`."""

    layer: Sequence[str]
    neuron: Sequence[str]
    count: int
    choose: Literal["telling", "drawn"]
    form: Literal["plain", "grown", "both"]
    against: Path | None
    steps: int
    kernel: Sequence[int]
    clip: bool
    colour: bool
    jitter: int
    variation: float
    fourier: float
    start: Path | None
    split: str
    limit: int
    precision: str
    seed: int


class TransplantSettings(TypedDict, total=False):
    """Settings of `Run.transplant`: `runs.transplant.options.TransplantOptions`."""

    controls: Sequence[str] | None
    split: str
    limit: int
    resamples: int
    seed: int


class ExportSettings(TypedDict, total=False):
    """Settings of `Run.export`: `deploy.options.ExportOptions`."""

    precision: Sequence[str]
    risk: float
    delta: float
    probes: int
    seed: int
    license: str


class RepairSettings(TypedDict, total=False):
    """Settings of `Run.repair`: `shortcuts.repair.options.RepairOptions`."""

    methods: Sequence[str] | None
    evaluation_data: Path | None
    suspected_class: str | None
    groups_from: str
    start: str
    epochs: int | None
    limit: int
    material: str
    seed: int
    fresh: bool


class CompareSettings(TypedDict, total=False):
    """Settings of `compare`: `runs.options.CompareOptions`."""

    split: str
    noise: float
    shares: str | None
    seed: int
