"""Clusters of explanations: two different kinds are separated, flipped maps are not."""

from __future__ import annotations

import numpy as np
import pytest

from steelsight.counterfactuals.nuisances.properties import Property
from steelsight.shortcuts.find.clusters import cluster_reasons, pool_maps


def _maps(rng: np.random.Generator, kind: np.ndarray) -> np.ndarray:
    """Maps at one end of the sheet (kind 0, left or right at random), or at its middle (kind 1)."""
    maps = np.abs(rng.normal(0, 0.05, (kind.size, 4, 20)))
    for row, each in enumerate(kind.tolist()):
        columns = slice(9, 11) if each else (slice(0, 3) if rng.random() < 0.5 else slice(17, 20))
        maps[row, :, columns] += 1
    return maps.astype(np.float32)


def test_pooled_maps_are_invariant_to_flips(rng: np.random.Generator) -> None:
    maps = rng.normal(size=(7, 5, 23)).astype(np.float32)
    for flipped in (maps[:, :, ::-1], maps[:, ::-1], maps[:, ::-1, ::-1]):
        assert pool_maps(np.ascontiguousarray(flipped)) == pytest.approx(pool_maps(maps), abs=0.2)
    even = rng.normal(size=(7, 4, 20)).astype(np.float32)  # pools of one size: exactly alike
    assert pool_maps(np.ascontiguousarray(even[:, ::-1, ::-1])) == pytest.approx(pool_maps(even), abs=1e-6)
    assert np.abs(pool_maps(maps)).sum(1).max() <= 1 + 1e-6
    assert (pool_maps(np.zeros((2, 4, 20), np.float32)) == 0).all()


def test_two_kinds_of_explanations_are_two_clusters(rng: np.random.Generator) -> None:
    kind = np.arange(120) % 2
    embeddings = (kind[:, None] * 3 + rng.normal(0, 0.5, (120, 6))).astype(np.float32)
    marked = Property("mark", "a mark", kind.astype(float), presence=True)
    plain = Property("plain", "nothing", rng.normal(size=120), presence=False)
    truths = np.where((kind == 1) & (np.arange(120) % 4 == 1), 1, 0)
    verdicts = np.zeros(120, np.int64)
    found = cluster_reasons(
        pool_maps(_maps(rng, kind)), embeddings, verdicts, truths, [plain, marked], rng=rng
    )
    assert [each.rows.size for each in found] == [60, 60]
    for each in found:
        assert np.unique(kind[each.rows]).size == 1
        assert each.traits[0].key == "mark"
        assert abs(each.traits[0].delta) == 1
        assert set(each.typical) <= set(each.rows.tolist())
        assert each.purity == (0.5 if kind[each.rows[0]] else 1.0)
        assert each.right.estimate == (0.5 if kind[each.rows[0]] else 1.0)


def test_few_sheets_are_not_clustered(rng: np.random.Generator) -> None:
    kind = np.arange(19) % 2
    pooled, nothing = pool_maps(_maps(rng, kind)), np.zeros(19, np.int64)
    assert cluster_reasons(pooled, pooled.astype(np.float32), nothing, nothing, [], rng=rng) == []
