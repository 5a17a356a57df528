"""Accuracy of linear probes on each layer's output, for the trained network and for controls."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from steelsight.inspection.probes.controls import SHUFFLED, TRAINED
from steelsight.inspection.probes.embedding import LayerMap, MapSpec, chance_agreement, map_layers
from steelsight.inspection.probes.layers import INPUT, kind_of
from steelsight.inspection.probes.outputs import KINDS, Kind, LayerOutput, read_layers
from steelsight.inspection.probes.probes import Probe, fit_at, fit_probe, prepare
from steelsight.inspection.probes.resamples import ResampledAccuracy, resample
from steelsight.inspection.probes.selection import (
    Folds,
    Positions,
    ProbeSheets,
    make_folds,
    permutation_by_groups,
)
from steelsight.models.catalog import SheetClassifier
from steelsight.streams import stream
from steelsight.types import Interval

__all__ = ["PERMUTATIONS", "ProbeCurve", "ProbeOptions", "ProbedLayer", "Separability", "inspect_layers"]

PERMUTATIONS = 5  # permutations of the labels; the control is their mean

Say = Callable[[str], None]


@dataclass(frozen=True)
class ProbedLayer:
    """One layer: name, kind, and sizes of its output and of the two probe inputs."""

    name: str
    kind: str  # conv, Fire, linear, …
    shape: tuple[int, ...]  # of one sheet's output
    pooled: int  # features
    projected: int

    @property
    def title(self) -> str:
        """The name with the kind, unless the name contains it; for the input the name only."""
        implied = self.name == INPUT or self.name.rpartition(".")[2].lower() == self.kind.lower()
        return self.name if implied else f"{self.name} {self.kind}"


@dataclass(frozen=True)
class ProbeCurve:
    """Probes of one network on one description, layer after layer."""

    net: str
    kind: Kind
    right: Float[
        np.ndarray, "l m"
    ]  # per judging sheet: 1 right, 0 wrong; the mean over permutations of labels
    accuracy: tuple[Interval, ...]
    balanced_accuracy: tuple[Interval, ...]
    fit_accuracy: tuple[float, ...]  # on the sheets the probe was fitted on
    penalty: tuple[float, ...]
    unconverged: int  # probes whose fit ended at the limit of steps


@dataclass(frozen=True)
class Separability:
    """Probes and maps of all layers and networks."""

    layers: tuple[ProbedLayer, ...]  # the sheet itself first
    curves: Mapping[tuple[str, Kind], ProbeCurve]
    sheets: ProbeSheets
    majority: float  # accuracy of predicting the most frequent class of the fitting sheets
    maps: tuple[LayerMap, ...]  # t-SNE of the trained network's layers; may be empty
    map_spec: MapSpec | None
    missing: Mapping[str, str] = field(
        default_factory=dict
    )  # controls that could not be made, with the reason
    seed: int = 0
    resamples: int = 1000

    def curve(self, net: str, kind: Kind) -> ProbeCurve | None:
        """One curve; None where that control is missing."""
        return self.curves.get((net, kind))

    @property
    def nets(self) -> tuple[str, ...]:
        """The networks there are curves of, in order."""
        return tuple(dict.fromkeys(net for net, _ in self.curves))

    @property
    def map_chance(self) -> float:
        """Neighbour agreement by chance on the map's sheets, whose own groups are left out."""
        labels, groups = self.sheets.judge_labels, self.sheets.groups[self.sheets.fitted :]
        rows = self.maps[0].rows if self.maps else np.arange(labels.size)
        return chance_agreement(labels[rows], [groups[i] for i in rows.tolist()])

    def resampled(self, right: Float[np.ndarray, "l m"]) -> ResampledAccuracy:
        """Bootstrap intervals of these probes, always on the same resamples."""
        return resample(
            right,
            self.sheets.judge_labels,
            self.sheets.judge_groups,
            weights=self.sheets.weights,
            rng=stream(self.seed, "probe-intervals"),
            resamples=self.resamples,
        )


@dataclass(frozen=True)
class ProbeOptions:
    """How layers are probed."""

    shuffled: bool = True  # also probe the trained network with permuted labels, at the same penalties
    maps: MapSpec | None = None  # how to draw t-SNE maps of the trained network; None = none
    seed: int = 0  # of folds, projections, permutations and resamples
    resamples: int = 1000  # of the bootstrap
    workers: int = 1  # probes fitted at a time, one thread each


def inspect_layers(
    nets: Mapping[str, SheetClassifier],
    sheets: ProbeSheets,
    layers: Sequence[str],
    options: ProbeOptions = ProbeOptions(),
    *,
    missing: Mapping[str, str] | None = None,
    say: Say = lambda _: None,
) -> Separability:
    """Probe every layer of every network; the outputs of one network are in memory at a time.

    nets     the trained one under `trained`, controls under their own names
    missing  controls that could not be made, with the reason
    say      called with each step
    """
    seed, maps = options.seed, options.maps
    folds = make_folds(sheets.fit_labels, sheets.groups[: sheets.fitted], rng=stream(seed, "probe-folds"))
    probed: dict[tuple[str, Kind], list[list[Probe]]] = {}
    drawn: tuple[LayerMap, ...] = ()
    rows: tuple[ProbedLayer, ...] = ()
    for net, model in nets.items():
        say(f"{net}: reading {len(layers)} layers of {len(sheets.labels)} sheets")
        outputs = read_layers(model, sheets.images, layers, seed=seed)
        rows = rows or tuple(_row(model, name, output) for name, output in outputs.items())
        for kind in KINDS:
            say(f"{net}: probing, {KINDS[kind]}")
            results = _probe(
                outputs, sheets, folds, kind, options, shuffled=options.shuffled and net == TRAINED
            )
            for key, probes in zip((net, SHUFFLED), results, strict=False):
                probed[key, kind] = probes
        if net == TRAINED and maps is not None:
            say("t-SNE")
            drawn = map_layers({name: output.pooled for name, output in outputs.items()}, sheets, maps)
    empty = Separability(
        rows, {}, sheets, _majority(sheets), drawn, maps, missing or {}, seed, options.resamples
    )
    order = [key for key in (*nets, SHUFFLED) if (key, "pooled") in probed]
    curves = {(net, kind): _curve(empty, net, kind, probed[net, kind]) for net in order for kind in KINDS}
    return replace(empty, curves=curves)


def _probe(
    outputs: Mapping[str, LayerOutput],
    sheets: ProbeSheets,
    folds: Folds,
    kind: Kind,
    options: ProbeOptions,
    *,
    shuffled: bool,
) -> list[list[list[Probe]]]:
    """Probes by layer and permutation: for the true labels, and where wanted for permuted ones."""
    labels = sheets.fit_labels
    rng = stream(options.seed, "probe-sketch")
    parts = (sheets.groups[: sheets.fitted], sheets.groups[sheets.fitted :])
    permutations = [
        [permutation_by_groups(part, rng=rng) for part in parts]
        for _ in range(PERMUTATIONS if shuffled else 0)
    ]

    def fit(output: LayerOutput) -> tuple[list[Probe], list[Probe]]:
        features = output.input(kind)
        prepared = prepare(features[: sheets.fitted], features[sheets.fitted :])
        own = fit_probe(prepared, labels, folds)
        return [own], [
            _permute_answers(fit_at(prepared, labels[fitted], own.penalty), judged)
            for fitted, judged in permutations
        ]

    with _one_thread_a_fit(), ThreadPoolExecutor(max(1, options.workers)) as pool:
        results = list(pool.map(fit, outputs.values()))
    own, other = [each[0] for each in results], [each[1] for each in results]
    return [own, other] if shuffled else [own]


def _permute_answers(probe: Probe, order: Positions) -> Probe:
    """A probe with permuted predictions, which equals permuting the judging sheets' labels.

    Without this, features with one dominant axis score far above or below chance, depending on how the
    permuted labels of the fitting sheets happen to lie along it.
    """
    return replace(probe, answers=probe.answers[order])


@contextmanager
def _one_thread_a_fit() -> Iterator[None]:
    """Limit fits to one thread, since matrices are small; fits that do not converge are counted instead."""
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _curve(results: Separability, net: str, kind: Kind, probes: list[list[Probe]]) -> ProbeCurve:
    truth = results.sheets.judge_labels
    right = np.array(
        [np.mean([probe.answers == truth for probe in permutations], axis=0) for permutations in probes]
    )
    resampled = results.resampled(right)
    return ProbeCurve(
        net,
        kind,
        right,
        resampled.accuracy,
        resampled.balanced_accuracy,
        tuple(float(np.mean([probe.fit_accuracy for probe in permutations])) for permutations in probes),
        tuple(permutations[0].penalty for permutations in probes),
        sum(not probe.converged for permutations in probes for probe in permutations),
    )


def _row(model: SheetClassifier, name: str, output: LayerOutput) -> ProbedLayer:
    return ProbedLayer(
        name, kind_of(model, name), output.shape, output.pooled.shape[1], output.projected.shape[1]
    )


def _majority(sheets: ProbeSheets) -> float:
    commonest = int(np.bincount(sheets.fit_labels).argmax())
    return float(np.average(sheets.judge_labels == commonest, weights=sheets.weights))
