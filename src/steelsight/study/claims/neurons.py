"""The study's claims about neurons, tested on their images and the filters they apply."""

from __future__ import annotations

import numpy as np

from steelsight.evaluation.intervals.bootstrap import bootstrap
from steelsight.inspection.neurons.nature import fine_share, rank_correlation
from steelsight.streams import stream
from steelsight.study.claims.verdict import ClaimVerdict, decide
from steelsight.study.results import NO_MODEL, StudyResults
from steelsight.types import Interval

__all__ = ["hierarchy", "no_insight"]


def hierarchy(study: StudyResults) -> ClaimVerdict:
    """First layers detect simple features, last layers complex ones."""
    atlas = study.neurons
    if atlas is None:
        return ClaimVerdict("undecided here", f"{NO_MODEL.capitalize()}.")
    depth = np.array([float(i) for i, page in enumerate(atlas.layers) for _ in page.agreements])
    alike = np.array([value for page in atlas.layers for value in page.agreements])
    known = np.isfinite(alike)
    depth, alike = depth[known], alike[known]
    if np.unique(depth).size < 2:
        return ClaimVerdict(
            "undecided here", "Fewer than two layers have neurons that are active on two sheets."
        )
    trend = bootstrap(
        lambda rows: rank_correlation(depth[rows], alike[rows]),
        depth.size,
        rng=stream(study.options.seed, "claim-hierarchy"),
        resamples=study.options.resamples,
    )
    ends = [float(np.median(alike[depth == layer])) for layer in (depth.min(), depth.max())]
    reason = (
        "Rank correlation of depth with the similarity of a neuron to one linear filter: the cosine of the "
        f"filters it applies to different sheets, {ends[0]:.2f} in the first layer (1 by construction) and "
        f"{ends[1]:.2f} in the last. This measures simplicity, not what a person sees in the feature."
    )
    return ClaimVerdict(decide(trend.high < 0, trend.low > 0), reason, trend)


def no_insight(study: StudyResults) -> ClaimVerdict:
    """Resizing and blurring show no more than a growing complexity."""
    atlas = study.neurons
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
        rng=stream(study.options.seed, "claim-fine-share"),
        resamples=study.options.resamples,
    )
    return ClaimVerdict(
        "undecided here",
        "Insight cannot be measured; the images are in the chapter. The interval is the change in the "
        "share of wavelengths shorter than 8 pixels by resizing and blurring.",
        fewer,
    )
