"""How far a sheet lies from the training sheets, in the features of the network.

The features are averages of activations, which are skewed: most are near 0, and a few sheets have values of a
hundred times the median. Their cube roots are nearer to the normal distribution that Mahalanobis' distance
supposes. Measured on real and on foreign images in docs/results/real.md.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Float64

from steelsight.errors import BadInput
from steelsight.runtime.bundle.card import FeatureScale
from steelsight.runtime.bundle.open import FeatureStatistics

__all__ = ["distances_between", "familiarity_limit", "feature_distance", "scaled"]


def scaled(embedding: Float[np.ndarray, "n k"], scale: FeatureScale) -> Float64[np.ndarray, "n k"]:
    """Features as distances are measured in them.

    >>> scaled(np.array([[8.0, -1.0]]), "cube root").tolist()
    [[2.0, -1.0]]
    """
    wide: Float64[np.ndarray, "n k"] = embedding.astype(np.float64)
    return np.cbrt(wide) if scale == "cube root" else wide


def feature_distance(
    embedding: Float[np.ndarray, "n k"], statistics: FeatureStatistics | None
) -> Float64[np.ndarray, " n"]:
    """Mahalanobis distance to the nearest mean, in the directions the statistics keep; NaN without them.

    source  Lee, Lee, Lee and Shin 2018, eq. 2, without its square
    """
    if statistics is None:
        return np.full(len(embedding), np.nan)
    whitening = statistics.whitening.astype(np.float64)
    points = scaled(embedding, statistics.scale) @ whitening
    means = statistics.means.astype(np.float64) @ whitening
    nearest: Float64[np.ndarray, " n"] = np.full(len(points), np.inf)
    for mean in means:
        np.minimum(nearest, ((points - mean) ** 2).sum(axis=1), out=nearest)
    distance: Float64[np.ndarray, " n"] = np.sqrt(nearest)
    return distance


def distances_between(
    embedding: Float[np.ndarray, " k"],
    others: Float[np.ndarray, "n k"],
    statistics: FeatureStatistics | None,
) -> Float64[np.ndarray, " n"]:
    """Distance of one sheet from others, in the directions and units of `feature_distance`.

    Two sheets at a limit of familiarity may lie up to twice as far from each other.
    statistics  None = Euclidean distance of the embeddings
    """
    if statistics is None:
        away = others.astype(np.float64) - embedding
    else:
        points = scaled(np.vstack([embedding, others]), statistics.scale)
        away = (points[1:] - points[0]) @ statistics.whitening.astype(np.float64)
    length: Float64[np.ndarray, " n"] = np.sqrt((away**2).sum(axis=1))
    return length


def familiarity_limit(distance: Float[np.ndarray, " n"], kept: float) -> tuple[float, float]:
    """The limit of familiarity, and the share of further sheets within it.

        k = min(n, ceil((n + 1) kept)); the k-th smallest distance, and k / (n + 1)

    A further sheet drawn as these lies within the limit with a probability of at least k / (n + 1), which is
    below `kept` where the sheets are too few for it.

    distance  (n,) of sheets that the statistics were not fitted to
    kept      above 0 and below 1
    raises    BadInput for no sheets, or where the limit would be 0

    >>> familiarity_limit(np.arange(1.0, 100.0), 0.99)
    (99.0, 0.99)
    """
    if not distance.size:
        raise BadInput("familiarity: expected calibration sheets, got none")
    rank = min(distance.size, math.ceil((distance.size + 1) * kept - 1e-9))  # .95 * 20 is above 19
    limit = float(np.sort(distance)[rank - 1])
    if not limit > 0:
        raise BadInput(
            "familiarity: expected calibration sheets that differ, got equal ones; use other sheets"
        )
    return limit, rank / (distance.size + 1)
