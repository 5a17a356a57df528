"""The study's claims about neurons, judged on their images and the filters they apply."""

from __future__ import annotations

import numpy as np

from steelsight.evaluation.intervals.bootstrap import bootstrap
from steelsight.inspection.neurons.nature import fine_share, rank_correlation
from steelsight.streams import stream
from steelsight.study.results import StudyResults
from steelsight.study.verdict import ClaimVerdict, decide
from steelsight.types import Interval

__all__ = ["hierarchy", "no_insight"]

NO_MODEL = "no model was trained"


def hierarchy(found: StudyResults) -> ClaimVerdict:
    """First layers detect simple features, last layers complex ones."""
    atlas = found.neurons
    if atlas is None:
        return ClaimVerdict("undecided here", f"{NO_MODEL.capitalize()}.")
    depth = np.array([float(i) for i, page in enumerate(atlas.layers) for _ in page.agreements])
    alike = np.array([value for page in atlas.layers for value in page.agreements])
    known = np.isfinite(alike)
    depth, alike = depth[known], alike[known]
    if np.unique(depth).size < 2:
        return ClaimVerdict("undecided here", "Fewer than two layers have neurons that answer to two sheets.")
    trend = bootstrap(
        lambda rows: rank_correlation(depth[rows], alike[rows]),
        depth.size,
        rng=stream(found.options.seed, "claim-hierarchy"),
        resamples=found.options.resamples,
    )
    ends = [float(np.median(alike[depth == layer])) for layer in (depth.min(), depth.max())]
    because = (
        "Rank correlation of depth with how far a neuron is one linear filter, by the cosine of the filters "
        f"it applies to different sheets: {ends[0]:.2f} in the first layer, where it is 1 by construction, "
        f"{ends[1]:.2f} in the last. That measures simplicity, not what a person would call the feature."
    )
    return ClaimVerdict(decide(trend.high < 0, trend.low > 0), because, trend)


def no_insight(found: StudyResults) -> ClaimVerdict:
    """Resizing and blurring show no more than a growing complexity."""
    atlas = found.neurons
    pairs = [
        (p.plain, p.grown)
        for page in ([] if atlas is None else atlas.layers)
        for p in page.profiles
        if p.plain is not None and p.grown is not None
    ]
    if not pairs:
        return ClaimVerdict("undecided here", "No images of both forms were made.")
    change = np.array([fine_share(b[None])[0] - fine_share(a[None])[0] for a, b in pairs])
    change = change[np.isfinite(change)]
    fewer: Interval = bootstrap(
        lambda rows: float(change[rows].mean()),
        change.size,
        rng=stream(found.options.seed, "claim-fine-share"),
        resamples=found.options.resamples,
    )
    return ClaimVerdict(
        "undecided here",
        "Insight is for a person to find or miss: the pictures are in the chapter. What can be measured is "
        "what the second form removes: by so much it changes the share of waves shorter than 8 pixels.",
        fewer,
    )
