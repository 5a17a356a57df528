"""How well few samples rank superpixels, beside the reference implementation; and which superpixels suit.

    python benchmarks/lime_quality.py [RUN] [--sheets 20] [--threads 1]

For each generated sheet: Spearman correlation of the coefficients with `lime`'s estimator at 20,000 samples,
written out here and asked in float32; ours at its default and `lime`'s own at 1,000, all on the same
superpixels. And R² and stability of each way to cut a sheet. Without a RUN: the reduced SqueezeNet with
ImageNet's features and a drawn direct head, target 1; a RUN's target is the class it answers. Prints tables,
then one JSON object.
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
from sklearn.linear_model import Ridge
from torch import Tensor, nn

from steelsight.explanations.lime.api import lime_report
from steelsight.explanations.lime.masking import mean_colours
from steelsight.explanations.lime.segments import SEGMENTERS, segment_sheet
from steelsight.models.catalog import ModelSpec, build_model
from steelsight.models.checkpoint import load_checkpoint
from steelsight.models.inputs import to_input
from steelsight.sheets.images.pixels import fit_gray
from steelsight.sheets.synthetic import EVEN_SHARES, SynthSpec, draw_sheet
from steelsight.types import InputSpec

REFERENCE_SAMPLES = 20_000
PEER_SAMPLES = 1000


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, nargs="?")
    parser.add_argument("--sheets", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, shape = load(options.run)
    spec = SynthSpec(seed=4321, count=options.sheets, class_shares=EVEN_SHARES)
    sheets = [fit_gray(draw_sheet(spec, index).gray, shape) for index in range(options.sheets)]
    images = to_input(torch.from_numpy(np.stack(sheets)))
    with torch.no_grad():
        targets = model(images).argmax(1) if options.run else torch.ones(len(images), dtype=torch.int64)
    cuts = {kind: compare_cut(model, images, targets, kind) for kind in SEGMENTERS}
    ranks = rank_all(model, images, targets)
    print(json.dumps({"sheets": options.sheets, "spearman": ranks, "segments": cuts}))


def load(run: Path | None) -> tuple[nn.Module, InputSpec]:
    """A trained model, or the one that the speed benchmark asks."""
    if run is not None:
        model, card = load_checkpoint(run)
        return model.eval(), card.input
    spec = ModelSpec(name="squeezenet_reduced", head="direct", outputs=5, pretrained="imagenet")
    return build_model(spec, generator=torch.Generator().manual_seed(0)).eval(), InputSpec()


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
        truth = reference(model, image, target, cut)
        generator = torch.Generator().manual_seed(index + 1)
        mine = lime_report(model, image, target, generator=generator, **settings).coefficients[0]
        ours.append(float(spearmanr(mine, truth).statistic))
        theirs.append(float(spearmanr(ask_peer(model, image, target, cut, index), truth).statistic))
        print(f"sheet {index}: ours {ours[-1]:.3f}, lime {theirs[-1]:.3f}", flush=True)
    print(f"mean: ours {np.mean(ours):.4f}, lime at {PEER_SAMPLES} {np.mean(theirs):.4f}")
    return {"ours": float(np.mean(ours)), "lime": float(np.mean(theirs)), "each": [ours, theirs]}


def reference(model: nn.Module, image: Tensor, target: int, cut: np.ndarray) -> np.ndarray:
    """`lime`'s estimator: fair coins, the kernel of the cosine distance, weighted ridge regression."""
    where = torch.from_numpy(cut).flatten()
    pieces = int(cut.max()) + 1
    masks = torch.randint(
        0, 2, (REFERENCE_SAMPLES, pieces), generator=torch.Generator().manual_seed(99)
    ).float()
    behind = mean_colours(image[0], where)
    answers = []
    with torch.no_grad():
        for part in masks.split(10):
            shown = part.index_select(1, where).reshape(-1, 1, *cut.shape)
            mixed = (behind + shown * (image - behind)).contiguous(memory_format=torch.channels_last)
            answers.append(model(mixed)[:, target].double())
    shown = masks.double().numpy()
    weight = np.exp(-((1 - np.sqrt(shown.mean(1))) ** 2) / (2 * 0.25**2))
    return Ridge(alpha=1).fit(shown, torch.cat(answers).numpy(), sample_weight=weight).coef_


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
