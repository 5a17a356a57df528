"""Spectral relevance analysis: clusters of the explanations of a class's verdicts.

Sheets of one verdict are clustered by their heatmaps and by the features at the places of high relevance. A
cluster with a common nuisance, or with an unusual purity, can indicate a shortcut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int
from scipy.sparse.csgraph import laplacian
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.neighbors import kneighbors_graph

from steelsight.counterfactuals.nuisances.properties import Property
from steelsight.evaluation.intervals.bootstrap import wilson
from steelsight.types import Interval, Labels

__all__ = ["Cluster", "ClusterTrait", "cluster_reasons", "pool_maps"]

POOLED = (2, 10)  # grid a map is pooled to, down and along the sheet
DIMENSIONS = 12  # principal components kept of each view
NEIGHBOURS = 10
MOST_CLUSTERS, MOST_SHEETS, FEWEST_SHEETS = 8, 600, 20  # of one verdict
TYPICAL = 4  # sheets shown per cluster

Pooled = Float[np.ndarray, "n p"]
Positions = Int[np.ndarray, " _"]


@dataclass(frozen=True)
class ClusterTrait:
    """A property of a cluster compared with the other sheets of the same verdict."""

    key: str
    title: str
    delta: float  # Cliff's
    share: float  # of the cluster's sheets above the others' median


@dataclass(frozen=True)
class Cluster:
    """Sheets of one verdict with similar explanations."""

    verdict: int
    rows: Positions
    typical: tuple[int, ...]  # rows nearest to the cluster's mean
    right: Interval  # share of correct verdicts, Wilson's bounds
    truths: tuple[tuple[int, int], ...]  # true class and number of sheets, the commonest first
    traits: tuple[ClusterTrait, ...]  # the strongest first

    @property
    def purity(self) -> float:
        """Share of the commonest true class."""
        return self.truths[0][1] / self.rows.size


def pool_maps(maps: Float32[np.ndarray, "n gh gw"]) -> Pooled:
    """Normalise signed maps by their total and pool them, invariant to horizontal and vertical flips.

    maps     (n, gh, gw)
    returns  (n, p); a sheet's absolute values sum to at most 1
    """
    scale = np.abs(maps).sum((1, 2), keepdims=True)
    shares = maps / np.where(scale > 0, scale, 1)
    rows = np.array_split(np.arange(maps.shape[1]), min(POOLED[0], maps.shape[1]))
    columns = np.array_split(np.arange(maps.shape[2]), min(POOLED[1], maps.shape[2]))
    grid = np.stack([np.stack([shares[:, r][:, :, c].sum((1, 2)) for c in columns], 1) for r in rows], 1)
    for axis in (1, 2):  # flip so that the heavier half comes first
        weight = np.abs(grid)
        half = grid.shape[axis] // 2
        first, last = (
            np.take(weight, side, axis).sum((1, 2))
            for side in (range(half), range(grid.shape[axis] - half, grid.shape[axis]))
        )
        grid = np.where((last > first)[:, None, None], np.flip(grid, axis), grid)
    return grid.reshape(len(maps), -1).astype(np.float64)


def cluster_reasons(
    pooled: Pooled,
    embeddings: Float32[np.ndarray, "n d"],
    verdicts: Labels,
    truths: Labels,
    properties: Sequence[Property],
    *,
    rng: np.random.Generator,
) -> list[Cluster]:
    """Cluster the sheets of every verdict that has at least FEWEST_SHEETS, the largest cluster first.

    pooled      (n, p) from `pool_maps`, of each sheet's own verdict
    embeddings  (n, d) features averaged over the places of positive relevance
    verdicts    (n,) class index; truths (n,) true class index
    properties  compared between the clusters of a verdict
    source      Lapuschkin et al. 2019; the number of clusters by the largest gap between eigenvalues of the
                neighbourhood graph's normalised Laplacian (von Luxburg 2007)
    """
    clusters = []
    for verdict in np.unique(verdicts).tolist():
        rows = np.flatnonzero(verdicts == verdict)
        if rows.size > MOST_SHEETS:
            rows = np.sort(rng.permutation(rows)[:MOST_SHEETS])
        if rows.size < FEWEST_SHEETS:
            continue
        views = np.concatenate([_view(columns[rows]) for columns in (pooled, embeddings)], axis=1)
        numbers = _spectral(views, seed=int(rng.integers(2**31)))
        for number in range(numbers.max() + 1):
            inside = numbers == number
            clusters.append(_describe(verdict, rows, inside, views, truths, properties))
    return sorted(clusters, key=lambda cluster: (cluster.verdict, -cluster.rows.size))


def _view(columns: Float[np.ndarray, "n p"]) -> Float[np.ndarray, "n q"]:
    """Principal components of one view, scaled to a total variance of 1."""
    count = min(DIMENSIONS, *columns.shape)
    main = PCA(count, random_state=0).fit_transform(columns.astype(np.float64))
    spread = float(np.sqrt(main.var(0).sum()))
    scaled: Float[np.ndarray, "n q"] = main / spread if spread > 0 else main
    return scaled


def _spectral(views: Float[np.ndarray, "n q"], *, seed: int) -> Int[np.ndarray, " n"]:
    """Cluster index of each sheet."""
    near = kneighbors_graph(views, min(NEIGHBOURS, len(views) - 1), include_self=False)
    graph = (near + near.T).toarray() / 2
    values, vectors = np.linalg.eigh(laplacian(graph, normed=True))
    most = min(MOST_CLUSTERS, len(views) // FEWEST_SHEETS + 1)
    gaps = np.diff(values[: most + 1])
    count = int(gaps[1:].argmax()) + 2 if gaps.size > 1 else 1
    if count < 2:
        return np.zeros(len(views), dtype=np.int64)
    chosen = vectors[:, :count]
    chosen = chosen / np.maximum(np.linalg.norm(chosen, axis=1, keepdims=True), 1e-12)
    numbers = KMeans(count, n_init=10, random_state=seed).fit_predict(chosen)
    dense: Int[np.ndarray, " n"] = np.unique(numbers, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return dense


def _describe(
    verdict: int,
    rows: Positions,
    inside: np.ndarray,
    views: Float[np.ndarray, "m q"],
    truths: Labels,
    properties: Sequence[Property],
) -> Cluster:
    members = rows[inside]
    away = np.linalg.norm(views[inside] - views[inside].mean(0), axis=1)
    classes, counts = np.unique(truths[members], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return Cluster(
        verdict,
        members,
        tuple(members[np.argsort(away, kind="stable")[:TYPICAL]].tolist()),
        wilson(int((truths[members] == verdict).sum()), members.size),
        tuple((int(classes[i]), int(counts[i])) for i in order),
        _traits(members, rows[~inside], properties),
    )


def _traits(
    members: Positions, others: Positions, properties: Sequence[Property]
) -> tuple[ClusterTrait, ...]:
    if not others.size:
        return ()
    traits = []
    for item in properties:
        inside, outside = item.values[members], item.values[others]
        delta = (inside[:, None] > outside[None]).mean() - (inside[:, None] < outside[None]).mean()
        share = float((inside > np.median(outside)).mean())
        traits.append(ClusterTrait(item.key, item.title, float(delta), share))
    return tuple(sorted(traits, key=lambda trait: -abs(trait.delta)))
