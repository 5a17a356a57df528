"""Similarity of two layers' representations of the same sheets: debiased linear CKA.

    CKA(X, Y) = HSIC(X, Y) / sqrt(HSIC(X, X) HSIC(Y, Y)),   HSIC = 1 / (n (n-3)) Σ_i≠j K̃_ij L̃_ij

K̃ is the U-centred matrix of inner products of the sheets' features, whose means over rows vanish without
their diagonal; that makes HSIC unbiased for any n > 3, so batches' values may be averaged (Song et al. 2012;
Székely and Rizzo 2014; Nguyen, Raghu and Kornblith 2021). 1 = the same up to rotation and scale, 0 =
unrelated. Biased CKA of features wider than there are sheets is near 1 for anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import interval_of
from steelsight.inspection.transplant.parts import Chain, chain_of, enter, list_parts
from steelsight.models.capture import at_rest
from steelsight.models.classifier import SheetClassifier
from steelsight.models.inputs import to_input
from steelsight.types import GrayBatch, Interval

__all__ = ["FEWEST", "Similarity", "compare_layers", "linear_cka"]

FEWEST = 4  # sheets a batch
BATCH = 32  # sheets whose features of all layers are held at a time
FEWEST_BATCHES = 10  # with fewer no bounds are given, since resampling them is unreliable
RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Similarity:
    """CKA of every layer of one model with every layer of another."""

    rows: tuple[str, ...]  # parts of the first
    columns: tuple[str, ...]  # parts of the second
    estimate: Float[np.ndarray, "l m"]  # NaN where a layer is constant over the sheets
    low: Float[np.ndarray, "l m"]  # bounds by resampling batches; NaN with fewer than ten
    high: Float[np.ndarray, "l m"]
    sheets: int  # that were compared: whole batches

    def same_place(self) -> dict[str, Interval]:
        """Each part with the part of the same name."""
        return {
            name: Interval(*(float(table[i, i]) for table in (self.estimate, self.low, self.high)))
            for i, name in enumerate(self.rows)
        }


def linear_cka(first: Float[Tensor, "n p"], second: Float[Tensor, "m q"]) -> float:
    """Debiased linear CKA of two descriptions of the same sheets.

    returns  at most about 1; may fall a little below 0 for unrelated ones; NaN where one is constant
    raises   BadInput for fewer than four sheets, or different numbers of them

    >>> x = torch.randn(40, 7, generator=torch.Generator().manual_seed(0))
    >>> round(linear_cka(x, 3 * x.flip(1) + 5), 6)
    1.0
    """
    if len(first) != len(second) or len(first) < FEWEST:
        raise BadInput(
            f"CKA: expected two descriptions of the same sheets, at least {FEWEST}, "
            f"got {len(first)} and {len(second)}"
        )
    a, b = _centred(first), _centred(second)
    return float(_ratio(np.array(a @ b), np.array(a @ a), np.array(b @ b)))


def compare_layers(
    model: SheetClassifier,
    others: Mapping[str, SheetClassifier],
    images: GrayBatch,
    *,
    rng: np.random.Generator,
    batch: int = BATCH,
) -> dict[str, Similarity]:
    """CKA of all parts' outputs, whole and in place, between one model and each of the others.

    Sheets are shuffled into batches, the rest that fills none is left out.

    images   (n, h, w) uint8
    raises   BadInput for fewer than four sheets
    """
    size = min(batch, len(images))
    if size < FEWEST:
        raise BadInput(f"CKA: expected at least {FEWEST} sheets a batch, got {size}")
    order = rng.permutation(len(images))
    own: list[Float64[np.ndarray, "l l"]] = []
    theirs: dict[str, list[Float64[np.ndarray, "m m"]]] = {name: [] for name in others}
    across: dict[str, list[Float64[np.ndarray, "l m"]]] = {name: [] for name in others}
    for start in range(0, len(images) - size + 1, size):
        gray = torch.from_numpy(np.array(images[np.sort(order[start : start + size])]))
        ours = _describe(model, gray)
        own.append(ours @ ours.T)
        for name, other in others.items():
            described = _describe(other, gray)
            theirs[name].append(described @ described.T)
            across[name].append(ours @ described.T)
    rows = tuple(part.name for part in list_parts(model))
    return {
        name: _similarity(
            rows,
            tuple(part.name for part in list_parts(other)),
            np.stack(across[name]),
            np.stack(own).diagonal(axis1=1, axis2=2),
            np.stack(theirs[name]).diagonal(axis1=1, axis2=2),
            size,
            rng,
        )
        for name, other in others.items()
    }


def _describe(model: SheetClassifier, gray: Tensor) -> Float64[np.ndarray, "l s"]:
    """Each part's U-centred inner products, as one vector a part."""
    chain: Chain = chain_of(model)
    rows = []
    device = next(model.parameters()).device
    with at_rest(model), torch.inference_mode():
        output = enter(model, to_input(gray.to(device)))
        for stage in chain:
            output = stage(output)
            rows.append(_centred(output.reshape(len(gray), -1)))
    return np.stack(rows)


def _centred(features: Float[Tensor, "n p"]) -> Float64[np.ndarray, " s"]:
    """The U-centred matrix of inner products without its diagonal, divided so that its products are HSICs."""
    n = len(features)
    apart = features - features.mean(0)  # changes nothing but the rounding
    products = (apart @ apart.T).double().cpu().numpy()
    np.fill_diagonal(products, 0.0)
    sums = products.sum(0)
    centred = products - (sums[:, None] + sums[None]) / (n - 2) + sums.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0.0)
    scaled: Float64[np.ndarray, " s"] = centred.ravel() / np.sqrt(n * (n - 3))
    return scaled


def _similarity(
    rows: Sequence[str],
    columns: Sequence[str],
    across: Float64[np.ndarray, "b l m"],
    own: Float64[np.ndarray, "b l"],
    theirs: Float64[np.ndarray, "b m"],
    size: int,
    rng: np.random.Generator,
) -> Similarity:
    batches = len(across)
    estimate = _ratio(across.mean(0), own.mean(0)[:, None], theirs.mean(0)[None])
    low, high = np.full_like(estimate, np.nan), np.full_like(estimate, np.nan)
    if batches >= FEWEST_BATCHES:
        times = rng.multinomial(batches, np.full(batches, 1 / batches), size=RESAMPLES) / batches  # (r, b)
        draws = _ratio(
            np.einsum("rb,blm->rlm", times, across), (times @ own)[:, :, None], (times @ theirs)[:, None]
        )
        for place in np.ndindex(estimate.shape):
            found, _ = interval_of(float(estimate[place]), draws[(slice(None), *place)])
            low[place], high[place] = found.low, found.high
    return Similarity(tuple(rows), tuple(columns), estimate, low, high, batches * size)


def _ratio(
    across: Float[np.ndarray, "*s"], own: Float[np.ndarray, "*t"], theirs: Float[np.ndarray, "*u"]
) -> Float[np.ndarray, "*s"]:
    scale = np.sqrt(own * theirs)
    answer = np.full(np.shape(across), np.nan)
    np.divide(across, scale, out=answer, where=np.broadcast_to(scale > 0, np.shape(across)))
    return answer
