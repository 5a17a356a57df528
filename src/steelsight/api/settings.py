"""Keyword settings of the API's calls: their names and types for editors and type checkers.

Each class has the fields of an option class of the command line, whose help texts and defaults hold here too.
How a DATA folder is read is said once, to `open_data`. `choose` makes the option class of the settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar

from steelsight.errors import BadRecipe
from steelsight.options import option_fields
from steelsight.sheets.options import AUTOMATIC, DataOptions

__all__ = [
    "AdaptSettings",
    "BundleGateSettings",
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
    "NeuronSettings",
    "ProveSettings",
    "ReadingSettings",
    "RepairSettings",
    "RobustnessSettings",
    "ScanSettings",
    "SearchSettings",
    "SynthSettings",
    "TransplantSettings",
    "choose",
    "read_options",
]

OptionsOf = TypeVar("OptionsOf")


class ReadingSettings(TypedDict, total=False):
    """How a DATA folder is read: `sheets.options.DataOptions`."""

    groups: str | None
    allow_bad: int
    layout: str | None
    masks: str | None
    defect_free: Sequence[str]
    bits: int | None


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


class AdaptSettings(TypedDict, total=False):
    """Settings of `adapt`: `adaptation.options.AdaptOptions`."""

    also: Sequence[Path]
    certify: Path | None
    new: Sequence[str]
    drop: Sequence[str]
    rename: Sequence[str]
    take_classes: bool
    folds: int
    repeats: int
    risk: float
    delta: float
    probes: int
    license: str | None
    seed: int


class BundleGateSettings(TypedDict, total=False):
    """Settings of `gate_bundle`: `adaptation.gate.options.BundleGateOptions`."""

    splits: Path | None
    groups_from: Literal["auto", "truth", "detector"]
    limit: int
    engine: Literal["openvino", "onnxruntime"]
    threads: int
    seed: int


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


class ScanSettings(TypedDict, total=False):
    """Settings of `scan`: `runtime.scan.options.ScanOptions`."""

    engine: str
    batch: int
    heatmaps: bool
    partition: str
    fresh: bool
    page: bool


def choose(
    kind: type[OptionsOf],
    options: OptionsOf | None,
    settings: Mapping[str, Any],
    reading: DataOptions = AUTOMATIC,
    **fixed: Any,
) -> OptionsOf:
    """The option class of a call's settings.

    options   a whole option class instead of settings, as the command line has one
    settings  by the names of its fields; a list becomes a tuple, and one text or path a tuple of one
    reading   how DATA is read, for option classes that hold this too
    fixed     fields that are no settings of the call
    raises    BadRecipe for a setting that does not exist, beside `options`, or out of its bounds
    """
    if options is not None:
        if settings:
            raise BadRecipe(
                f"{', '.join(settings)}: expected settings or `options`, got both; leave one of them out"
            )
        return options
    known = fields(kind)  # type: ignore[arg-type]
    own = {each.name for each in fields(DataOptions)}
    if not issubclass(kind, DataOptions):
        own -= {each.name for each in known}  # a field of its own, which says nothing of how DATA is read
    types = {each.name: str(each.type) for each in known if each.name not in {*own, *fixed}}
    for name in settings:
        if name in own:
            raise BadRecipe(f"{name}: expected as a setting of open_data, which says how DATA is read")
        if name not in types:
            came = _named_by_option(kind, name)
            raise BadRecipe(f"{name}: expected one of {', '.join(types)}, got {came}")
    values = {name: _typed(value, types[name]) for name, value in settings.items()}
    read = vars(reading) if issubclass(kind, DataOptions) else {}
    return kind(**{**read, **values, **fixed})


def _named_by_option(kind: type, name: str) -> str:
    """What came in place of a setting: the name of an option of the command line, or any other name."""
    flag = f"--{name.replace('_', '-')}"
    for field, info in option_fields(kind).items():
        if info.flag and flag in info.flag.split("/"):
            return f"the option {flag} of the command line, which is the setting {field}"
    return "a setting of another name"


def read_options(reading: Mapping[str, Any]) -> DataOptions:
    """How a DATA folder is read; raises BadRecipe as `choose`."""
    types = {each.name: str(each.type) for each in fields(DataOptions)}
    for name in reading:
        if name not in types:
            raise BadRecipe(f"{name}: expected one of {', '.join(types)}, got a setting of another name")
    return DataOptions(**{name: _typed(value, types[name]) for name, value in reading.items()})


def _typed(value: Any, annotation: str) -> Any:
    """A value as its field holds it."""
    if annotation.startswith("tuple") and value is not None:
        several = (value,) if isinstance(value, str | Path) else tuple(value)
        return tuple(map(Path, several)) if annotation.startswith("tuple[Path") else several
    if annotation.startswith("Path") and isinstance(value, str):
        return Path(value)
    if annotation.startswith("float") and type(value) is int:
        return float(value)
    return value
