"""How well few samples rank superpixels, beside the reference implementation; and which superpixels suit.

    python benchmarks/lime_quality.py RUN [--sheets 20] [--threads 1]

For each generated sheet of a trained model: Spearman correlation of the coefficients with those of a
20,000-sample estimate on the same superpixels, ours at eight samples a superpixel and `lime`'s at 1,000;
then R² and stability of each way to cut a sheet. Prints tables, then one JSON object.
"""

from __future__ import annotations

import argparse
import io
import json
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lime.lime_image import LimeImageExplainer
from scipy.stats import spearmanr
from torch import Tensor, nn

from steelsight.explanations.lime import lime_report
from steelsight.explanations.segments import SEGMENTERS, segment_sheet
from steelsight.models.checkpoint import load_checkpoint
from steelsight.models.inputs import to_input
from steelsight.sheets.pixels import fit_gray
from steelsight.sheets.synthetic import EVEN_SHARES, SynthSpec, draw_sheet

REFERENCE_SAMPLES = 20_000
PEER_SAMPLES = 1000


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--sheets", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, card = load_checkpoint(options.run)
    spec = SynthSpec(seed=4321, count=options.sheets, class_shares=EVEN_SHARES)
    sheets = [fit_gray(draw_sheet(spec, index).gray, card.input) for index in range(options.sheets)]
    images = to_input(torch.from_numpy(np.stack(sheets)))
    with torch.no_grad():
        targets = model(images).argmax(1)
    cuts = {kind: compare_cut(model, images, targets, kind) for kind in SEGMENTERS}
    ranks = rank_all(model, images, targets)
    print(json.dumps({"sheets": options.sheets, "spearman": ranks, "segments": cuts}))


def compare_cut(model: nn.Module, images: Tensor, targets: Tensor, kind: str) -> dict[str, float]:
    """Means over sheets of what a way to cut gives."""
    report = lime_report(model, images, targets, segments=kind)
    found = {
        "superpixels": float(np.mean([len(each) for each in report.coefficients])),
        "r2": float(np.nanmean(report.r2)),
        "stability": float(np.nanmean(report.stability)),
    }
    print(kind, {name: round(value, 3) for name, value in found.items()}, flush=True)
    return found


def rank_all(model: nn.Module, images: Tensor, targets: Tensor) -> dict[str, Any]:
    """Spearman to the reference, sheet by sheet."""
    ours, theirs = [], []
    for index in range(len(images)):
        image, target = images[index : index + 1], int(targets[index])
        cut = segment_sheet(image[0].mean(0).double().numpy())
        settings = {"segments": [cut]}
        truth = lime_report(model, image, target, samples=REFERENCE_SAMPLES, **settings).coefficients[0]
        generator = torch.Generator().manual_seed(index + 1)
        mine = lime_report(model, image, target, generator=generator, **settings).coefficients[0]
        ours.append(float(spearmanr(mine, truth).statistic))
        theirs.append(float(spearmanr(ask_peer(model, image, target, cut, index), truth).statistic))
        print(f"sheet {index}: ours {ours[-1]:.3f}, lime {theirs[-1]:.3f}", flush=True)
    print(f"mean: ours {np.mean(ours):.4f}, lime at {PEER_SAMPLES} {np.mean(theirs):.4f}")
    return {"ours": float(np.mean(ours)), "lime": float(np.mean(theirs)), "each": [ours, theirs]}


def ask_peer(model: nn.Module, image: Tensor, target: int, cut: np.ndarray, seed: int) -> np.ndarray:
    """The reference implementation's coefficients."""
    low, high = float(image.min()), float(image.max())
    picture = ((image[0].permute(1, 2, 0).numpy() - low) / (high - low)).astype(np.float64)

    def predict(batch: np.ndarray) -> np.ndarray:
        values = torch.from_numpy(batch.astype(np.float32) * (high - low) + low).permute(0, 3, 1, 2)
        with torch.no_grad():
            logits: np.ndarray = model(values).numpy()
        return logits

    pieces = int(cut.max()) + 1
    with redirect_stderr(io.StringIO()):  # its progress bar
        told = LimeImageExplainer(random_state=seed).explain_instance(
            picture, predict, labels=(target,), top_labels=None, hide_color=None, num_samples=PEER_SAMPLES,
            num_features=pieces, segmentation_fn=lambda _: cut, batch_size=50,
        )  # fmt: skip
    weights = dict(told.local_exp[target])
    return np.array([weights.get(piece, 0.0) for piece in range(pieces)])


if __name__ == "__main__":
    main()
