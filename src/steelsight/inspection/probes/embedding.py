"""t-SNE maps of every layer's output, on which similar sheets are near each other.

A map shows neighbours, not distances, and every layer has a map of its own: two maps can be compared only in
how well classes stay together. A number states this: how often a sheet's neighbours on the map are of its
class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors

from steelsight.errors import BadInput
from steelsight.inspection.probes.probes import prepare
from steelsight.inspection.probes.resamples import resample
from steelsight.inspection.probes.selection import ProbeSheets
from steelsight.streams import stream
from steelsight.types import Interval, Labels

__all__ = [
    "AXES",
    "NEIGHBOURS",
    "LayerMap",
    "MapSpec",
    "chance_agreement",
    "draw_map",
    "map_layers",
    "neighbour_agreement",
]

AXES = 50  # principal axes t-SNE is given at most, as its authors do
NEIGHBOURS = 10
FEWEST = 4  # sheets a map needs


@dataclass(frozen=True)
class MapSpec:
    """Settings of the maps, which every figure of them states."""

    sheets: int = 500  # at most, of those that judge
    perplexity: float | None = (
        None  # effective number of neighbours; None = 30, or a third of the sheets where they are few
    )
    seed: int = 0

    def perplexity_for(self, count: int) -> float:
        """The perplexity for so many sheets; raises BadInput where it is too large for them."""
        if count < FEWEST:
            raise BadInput(f"t-SNE: expected at least {FEWEST} sheets, got {count}; raise the limit")
        if self.perplexity is None:
            return min(30.0, (count - 1) / 3)
        if not 1 <= self.perplexity < count:
            raise BadInput(
                f"perplexity: expected at least 1 and below the number of sheets, {count}, "
                f"got {self.perplexity:g}"
            )
        return self.perplexity


@dataclass(frozen=True)
class LayerMap:
    """One layer's map."""

    layer: str
    places: Float32[np.ndarray, "m 2"]
    rows: Int[np.ndarray, " m"]  # of the judging sheets
    agreement: Interval  # chance that a neighbour on the map is of the same class, classes counting alike
    perplexity: float


def map_layers(
    features: Mapping[str, Float32[np.ndarray, "n _"]], sheets: ProbeSheets, spec: MapSpec
) -> tuple[LayerMap, ...]:
    """A map of each layer on the same judging sheets.

    features  by layer, a row each of all sheets
    raises    BadInput for too few sheets, or a perplexity they cannot have
    """
    labels, groups = sheets.judge_labels, sheets.groups[sheets.fitted :]
    rng = stream(spec.seed, "map-sheets")
    rows = np.sort(rng.permutation(labels.size)[: spec.sheets]).astype(np.int64)
    perplexity = spec.perplexity_for(rows.size)
    some = [groups[i] for i in rows.tolist()]
    maps = []
    for layer, all_rows in features.items():
        places = draw_map(all_rows[sheets.fitted :][rows], perplexity=perplexity, seed=spec.seed)
        alike = neighbour_agreement(places, labels[rows], some)
        agreement = _agreement(alike, labels[rows], some, stream(spec.seed, "map-intervals"))
        maps.append(LayerMap(layer, places, rows, agreement, perplexity))
    return tuple(maps)


def draw_map(
    features: Float32[np.ndarray, "m d"], *, perplexity: float, seed: int
) -> Float32[np.ndarray, "m 2"]:
    """t-SNE of standardised features, their first 50 principal axes; starts from the first two.

    source  van der Maaten and Hinton 2008, as scikit-learn implements it
    """
    scaled = prepare(features, features[:1]).fit
    axes = min(AXES, *scaled.shape)
    if axes < scaled.shape[1]:
        scaled = PCA(axes, svd_solver="full").fit_transform(scaled)
    start = "pca" if scaled.shape[1] > 1 and np.linalg.matrix_rank(scaled) > 1 else "random"
    found = TSNE(perplexity=perplexity, init=start, random_state=seed).fit_transform(scaled)
    return np.asarray(found, dtype=np.float32)


def neighbour_agreement(
    places: Float32[np.ndarray, "m 2"], labels: Labels, groups: Sequence[str], *, count: int = NEIGHBOURS
) -> Float32[np.ndarray, " m"]:
    """Share of each sheet's class among its nearest neighbours on the map outside its group.

    count    neighbours; fewer for a class with fewer other sheets, so that every class can reach 1
    returns  (m,) 0..1; NaN for a sheet without another of its class outside its group
    """
    order = NearestNeighbors(n_neighbors=len(places) - 1).fit(places).kneighbors(return_distance=False)
    share = np.full(len(places), np.nan, dtype=np.float32)
    for row, others in enumerate(order):
        apart = [i for i in others.tolist() if not (groups[row] and groups[i] == groups[row])]
        alike = labels[apart] == labels[row]
        if alike.any():
            share[row] = float(alike[: min(count, int(alike.sum()))].mean())
    return share


def chance_agreement(labels: Labels, groups: Sequence[str]) -> float:
    """The agreement of neighbours that are drawn at random from other groups, all classes counting alike.

    It is the share of a sheet's class among the sheets outside its group, not one over the number of classes:
    a class whose sheets lie in few groups has fewer of its own outside.

    labels, groups  (m,) of the sheets on the map; "" = a group of its own
    returns         NaN where no sheet has another of its class outside its group

    >>> chance_agreement(np.array([0, 0, 1, 1]), ["", "", "", ""]).__round__(3)
    0.333
    """
    names = np.array(groups, dtype=str)
    shares: dict[int, list[float]] = {}
    for row, (label, name) in enumerate(zip(labels.tolist(), names.tolist(), strict=True)):
        apart = (names != name) if name else np.arange(names.size) != row
        alike = int((labels[apart] == label).sum())
        if alike:
            shares.setdefault(label, []).append(alike / int(apart.sum()))
    return float(np.mean([np.mean(each) for each in shares.values()])) if shares else float("nan")


def _agreement(
    alike: Float32[np.ndarray, " m"], labels: Labels, groups: Sequence[str], rng: np.random.Generator
) -> Interval:
    """Mean agreement over the classes; NaN where no sheet has another of its class."""
    known = np.flatnonzero(~np.isnan(alike))
    if not known.size:
        return Interval(float("nan"), float("nan"), float("nan"))
    some = [groups[i] for i in known.tolist()]
    right = alike[None, known].astype(np.float64)
    return resample(right, labels[known], some, rng=rng).balanced_accuracy[0]
