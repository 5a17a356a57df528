"""Spectral relevance analysis: into how many kinds of reasons do a class's verdicts fall?

Sheets of one verdict are clustered by where the model looked and by what it saw there. A cluster that has a
nuisance in common, or a purity unlike the others', is where to look for a shortcut.
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

from steelsight.evaluation.intervals.bootstrap import wilson
from steelsight.shortcuts.nuisances.properties import Property
from steelsight.types import Interval, Labels

__all__ = ["Cluster", "ClusterTrait", "cluster_reasons", "pool_maps"]

POOLED = (2, 10)  # places a map is pooled to, down and along the sheet
DIMENSIONS = 12  # kept of each view
NEIGHBOURS = 10
MOST_CLUSTERS, MOST_SHEETS, FEWEST_SHEETS = 8, 600, 20  # of one verdict
TYPICAL = 4

Pooled = Float[np.ndarray, "n p"]
Positions = Int[np.ndarray, " _"]


@dataclass(frozen=True)
class ClusterTrait:
    """What a cluster has more, or less, of than the other sheets of the same verdict."""

    key: str
    title: str
    delta: float  # Cliff's
    share: float  # of the cluster's sheets above the others' median


@dataclass(frozen=True)
class Cluster:
    """Sheets that got one verdict for one kind of reason."""

    verdict: int
    rows: Positions
    typical: tuple[int, ...]  # rows next to its middle
    right: Interval  # share of right verdicts, Wilson's bounds
    truths: tuple[tuple[int, int], ...]  # true class and sheets, the commonest first
    traits: tuple[ClusterTrait, ...]  # the strongest first

    @property
    def purity(self) -> float:
        """Share of its commonest true class."""
        return self.truths[0][1] / self.rows.size


def pool_maps(maps: Float32[np.ndarray, "n gh gw"]) -> Pooled:
    """Signed maps as shares of their own strength, pooled; left-right and top-bottom flips look the same.

    returns  (n, p); a sheet's absolute values sum to at most 1
    """
    scale = np.abs(maps).sum((1, 2), keepdims=True)
    shares = maps / np.where(scale > 0, scale, 1)
    rows = np.array_split(np.arange(maps.shape[1]), min(POOLED[0], maps.shape[1]))
    columns = np.array_split(np.arange(maps.shape[2]), min(POOLED[1], maps.shape[2]))
    grid = np.stack([np.stack([shares[:, r][:, :, c].sum((1, 2)) for c in columns], 1) for r in rows], 1)
    for axis in (1, 2):  # the heavier half comes first
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
    """Clusters of every verdict with at least FEWEST_SHEETS sheets, the largest first.

    pooled      as pool_maps gives them, of each sheet's own verdict
    embeddings  what the model saw where it looked
    source      Lapuschkin et al. 2019; the number of clusters by the largest gap between eigenvalues of the
                neighbourhood graph's normalised Laplacian (von Luxburg 2007)
    """
    found = []
    for verdict in np.unique(verdicts).tolist():
        rows = np.flatnonzero(verdicts == verdict)
        if rows.size > MOST_SHEETS:
            rows = np.sort(rng.permutation(rows)[:MOST_SHEETS])
        if rows.size < FEWEST_SHEETS:
            continue
        views = np.concatenate([_view(each[rows]) for each in (pooled, embeddings)], axis=1)
        numbers = _spectral(views, seed=int(rng.integers(2**31)))
        for number in range(numbers.max() + 1):
            inside = numbers == number
            found.append(_describe(verdict, rows, inside, views, truths, properties))
    return sorted(found, key=lambda each: (each.verdict, -each.rows.size))


def _view(columns: Float[np.ndarray, "n p"]) -> Float[np.ndarray, "n q"]:
    """The main directions of one view, all views with the same total variance."""
    count = min(DIMENSIONS, *columns.shape)
    main = PCA(count, random_state=0).fit_transform(columns.astype(np.float64))
    spread = float(np.sqrt(main.var(0).sum()))
    scaled: Float[np.ndarray, "n q"] = main / spread if spread > 0 else main
    return scaled


def _spectral(views: Float[np.ndarray, "n q"], *, seed: int) -> Int[np.ndarray, " n"]:
    """The number of the cluster of each sheet."""
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
    mine = rows[inside]
    away = np.linalg.norm(views[inside] - views[inside].mean(0), axis=1)
    classes, counts = np.unique(truths[mine], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return Cluster(
        verdict,
        mine,
        tuple(mine[np.argsort(away, kind="stable")[:TYPICAL]].tolist()),
        wilson(int((truths[mine] == verdict).sum()), mine.size),
        tuple((int(classes[i]), int(counts[i])) for i in order),
        _traits(mine, rows[~inside], properties),
    )


def _traits(mine: Positions, others: Positions, properties: Sequence[Property]) -> tuple[ClusterTrait, ...]:
    if not others.size:
        return ()
    found = []
    for each in properties:
        here, there = each.values[mine], each.values[others]
        above = (here[:, None] > there[None]).mean() - (here[:, None] < there[None]).mean()
        share = float((here > np.median(there)).mean())
        found.append(ClusterTrait(each.key, each.title, float(above), share))
    return tuple(sorted(found, key=lambda trait: -abs(trait.delta)))
