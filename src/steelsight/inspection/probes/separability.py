"""How well a linear model tells classes apart by each layer's output, beside nets that never learnt it."""

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
from steelsight.inspection.probes.embedding import LayerMap, MapSpec, map_layers
from steelsight.inspection.probes.layers import INPUT, kind_of
from steelsight.inspection.probes.outputs import KINDS, Kind, LayerOutput, read_layers
from steelsight.inspection.probes.probes import Probe, fit_at, fit_probe, prepare
from steelsight.inspection.probes.resamples import ResampledAccuracy, resample
from steelsight.inspection.probes.selection import Folds, Positions, ProbeSheets, deal_order, make_folds
from steelsight.models.catalog import SheetClassifier
from steelsight.streams import stream
from steelsight.types import Interval

__all__ = ["DEALS", "ProbeCurve", "ProbedLayer", "Separability", "inspect_layers"]

DEALS = 5  # times the labels are dealt anew; the control is their mean

Say = Callable[[str], None]


@dataclass(frozen=True)
class ProbedLayer:
    """One layer: its name, what it is, and how long its outputs and their descriptions are."""

    name: str
    kind: str  # conv, Fire, linear, …
    shape: tuple[int, ...]  # of one sheet's output
    pooled: int  # features
    projected: int

    @property
    def title(self) -> str:
        """The name with what it is, unless the name says so; the input alone."""
        told = self.name == INPUT or self.name.rpartition(".")[2].lower() == self.kind.lower()
        return self.name if told else f"{self.name} {self.kind}"


@dataclass(frozen=True)
class ProbeCurve:
    """Probes of one network on one description, layer after layer."""

    net: str
    kind: Kind
    right: Float[np.ndarray, "l m"]  # per judging sheet: 1 right, 0 wrong; between for several deals
    accuracy: tuple[Interval, ...]
    balanced_accuracy: tuple[Interval, ...]
    fit_accuracy: tuple[float, ...]  # on the sheets the probe was fitted on
    penalty: tuple[float, ...]
    unconverged: int  # probes whose fit ended at the limit of steps


@dataclass(frozen=True)
class Separability:
    """Everything found."""

    layers: tuple[ProbedLayer, ...]  # the sheet itself first
    curves: Mapping[tuple[str, Kind], ProbeCurve]
    sheets: ProbeSheets
    majority: float  # what answering the commonest class of the fitting sheets scores
    maps: tuple[LayerMap, ...]  # t-SNE of the trained network's layers; empty where not asked for
    map_spec: MapSpec | None
    missing: Mapping[str, str] = field(default_factory=dict)  # controls there are none of, with the reason
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
        """How often neighbours on a map of nothing are of one class: classes on it count alike."""
        labels = self.sheets.judge_labels
        return 1 / np.unique(labels[self.maps[0].rows] if self.maps else labels).size

    def resampled(self, right: Float[np.ndarray, "l m"]) -> ResampledAccuracy:
        """Bootstrap of some answers, on the same resamples every time."""
        return resample(
            right,
            self.sheets.judge_labels,
            self.sheets.judge_groups,
            weights=self.sheets.weights,
            rng=stream(self.seed, "probe-intervals"),
            resamples=self.resamples,
        )


def inspect_layers(
    nets: Mapping[str, SheetClassifier],
    sheets: ProbeSheets,
    layers: Sequence[str],
    *,
    shuffled: bool = True,
    maps: MapSpec | None = None,
    missing: Mapping[str, str] | None = None,
    seed: int = 0,
    resamples: int = 1000,
    workers: int = 1,
    say: Say = lambda _: None,
) -> Separability:
    """Probe every layer of every network, network after network; one network's outputs are held at a time.

    nets      the trained one under `trained`, controls under their own names
    shuffled  whether the trained one is also probed for labels dealt anew, at the penalties its own chose
    maps      how to draw t-SNE maps of the trained network; None = none
    workers   probes fitted at a time, one thread each
    """
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
            found = _probe(outputs, sheets, folds, kind, shuffled and net == TRAINED, seed, workers)
            for key, probes in zip((net, SHUFFLED), found, strict=False):
                probed[key, kind] = probes
        if net == TRAINED and maps is not None:
            say("t-SNE")
            drawn = map_layers({name: output.pooled for name, output in outputs.items()}, sheets, maps)
    empty = Separability(rows, {}, sheets, _majority(sheets), drawn, maps, missing or {}, seed, resamples)
    order = [key for key in (*nets, SHUFFLED) if (key, "pooled") in probed]
    curves = {(net, kind): _curve(empty, net, kind, probed[net, kind]) for net in order for kind in KINDS}
    return Separability(rows, curves, sheets, empty.majority, drawn, maps, empty.missing, seed, resamples)


def _probe(
    outputs: Mapping[str, LayerOutput],
    sheets: ProbeSheets,
    folds: Folds,
    kind: Kind,
    shuffled: bool,
    seed: int,
    workers: int,
) -> list[list[list[Probe]]]:
    """By labels, true and where wanted dealt anew: by layer, by deal, a probe."""
    labels = sheets.fit_labels
    rng = stream(seed, "probe-sketch")
    parts = (sheets.groups[: sheets.fitted], sheets.groups[sheets.fitted :])
    deals = [[deal_order(part, rng=rng) for part in parts] for _ in range(DEALS if shuffled else 0)]

    def fit(output: LayerOutput) -> tuple[list[Probe], list[Probe]]:
        features = output.input(kind)
        prepared = prepare(features[: sheets.fitted], features[sheets.fitted :])
        own = fit_probe(prepared, labels, folds)
        return [own], [
            _dealt(fit_at(prepared, labels[fitted], own.penalty), judged) for fitted, judged in deals
        ]

    with _one_thread_a_fit(), ThreadPoolExecutor(max(1, workers)) as pool:
        found = list(pool.map(fit, outputs.values()))
    own, other = [each[0] for each in found], [each[1] for each in found]
    return [own, other] if shuffled else [own]


def _dealt(probe: Probe, order: Positions) -> Probe:
    """Its answers dealt to the judging sheets, which is as if their labels were: chance for any features.

    Without this, features that hold one strong axis score far above or far below chance, as the dealt labels
    of the fitting sheets happen to lie along it.
    """
    return replace(probe, answers=probe.answers[order])


@contextmanager
def _one_thread_a_fit() -> Iterator[None]:
    """Small matrices: threads inside a fit only wait. Fits that do not converge are counted instead."""
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _curve(found: Separability, net: str, kind: Kind, probes: list[list[Probe]]) -> ProbeCurve:
    truth = found.sheets.judge_labels
    right = np.array([np.mean([probe.answers == truth for probe in deals], axis=0) for deals in probes])
    resampled = found.resampled(right)
    return ProbeCurve(
        net,
        kind,
        right,
        resampled.accuracy,
        resampled.balanced_accuracy,
        tuple(float(np.mean([probe.fit_accuracy for probe in deals])) for deals in probes),
        tuple(deals[0].penalty for deals in probes),
        sum(not probe.converged for deals in probes for probe in deals),
    )


def _row(model: SheetClassifier, name: str, output: LayerOutput) -> ProbedLayer:
    return ProbedLayer(
        name, kind_of(model, name), output.shape, output.pooled.shape[1], output.projected.shape[1]
    )


def _majority(sheets: ProbeSheets) -> float:
    commonest = int(np.bincount(sheets.fit_labels).argmax())
    return float(np.average(sheets.judge_labels == commonest, weights=sheets.weights))
