"""Quality and time of LIME with and without its emulator, beside the reference implementation.

    python benchmarks/lime_quality.py [RUN] [--sheets 20] [--truth 20000] [--no-lime] [--no-cuts]

For each generated sheet: Spearman correlation of the coefficients with those of `lime`'s estimator at 20,000
samples, computed here in float32, all on the same superpixels: ours at its default; a ridge regression
without the emulator on as many samples, and on eight a superpixel; and `lime` at 1,000. Times are processor
milliseconds, the estimators in turn on each sheet. Then R² and stability of each kind of superpixels. Without
a RUN: the reduced SqueezeNet with ImageNet's features and a random direct head, target 1; a RUN's target is
the class it predicts. Prints tables, then one JSON object.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge
from torch import Tensor, nn

from steelsight.explanations.lime.api import LimeReport, lime_report
from steelsight.explanations.lime.masking import masked_predictor, mean_colours
from steelsight.explanations.lime.sampling import draw_masks
from steelsight.explanations.lime.segments import SEGMENTERS, segment_sheet
from steelsight.explanations.lime.surrogate import ridge_coefficients
from steelsight.models.catalog import ModelSpec, build_model
from steelsight.models.checkpoint import load_checkpoint
from steelsight.models.inputs import to_input
from steelsight.sheets.images.pixels import fit_gray
from steelsight.sheets.synthetic import EVEN_SHARES, SynthSpec, draw_sheet
from steelsight.types import InputSpec

PEER_SAMPLES = 1000


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, nargs="?")
    parser.add_argument("--sheets", type=int, default=20)
    parser.add_argument("--truth", type=int, default=20_000, help="samples of the reference")
    parser.add_argument("--no-lime", action="store_true", help="leave out the reference implementation")
    parser.add_argument("--no-cuts", action="store_true", help="leave out the kinds of superpixels")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, shape = load(options.run)
    spec = SynthSpec(seed=4321, count=options.sheets, class_shares=EVEN_SHARES)
    sheets = [fit_gray(draw_sheet(spec, index).gray, shape) for index in range(options.sheets)]
    images = to_input(torch.from_numpy(np.stack(sheets)))
    with torch.no_grad():
        targets = model(images).argmax(1) if options.run else torch.ones(len(images), dtype=torch.int64)
    ranks = rank_all(model, images, targets, truth_samples=options.truth, peer=not options.no_lime)
    kinds = () if options.no_cuts else SEGMENTERS
    cuts = {kind: compare_cut(model, images, targets, kind) for kind in kinds}
    print(json.dumps({"sheets": options.sheets, "spearman": ranks, "segments": cuts}))


def load(run: Path | None) -> tuple[nn.Module, InputSpec]:
    """A trained model, or the one of the speed benchmark."""
    if run is not None:
        model, card = load_checkpoint(run)
        return model.eval(), card.input
    spec = ModelSpec(name="squeezenet_reduced", head="direct", outputs=5, pretrained="imagenet")
    return build_model(spec, generator=torch.Generator().manual_seed(0)).eval(), InputSpec()


def compare_cut(model: nn.Module, images: Tensor, targets: Tensor, kind: str) -> dict[str, float]:
    """Means over sheets of a kind of superpixels."""
    report = lime_report(model, images, targets, segments=kind)
    means = {
        "superpixels": float(np.mean([len(each) for each in report.coefficients])),
        "r2": float(np.nanmean(report.r2)),
        "stability": float(np.nanmean(report.stability)),
    }
    print(kind, {name: round(value, 3) for name, value in means.items()}, flush=True)
    return means


def rank_all(
    model: nn.Module, images: Tensor, targets: Tensor, *, truth_samples: int, peer: bool
) -> dict[str, Any]:
    """Spearman correlation with the reference and processor ms of every estimator, sheet by sheet."""
    rows: list[dict[str, tuple[float, float]]] = []
    for index in range(len(images)):
        image, target = images[index : index + 1], int(targets[index])
        cut = segment_sheet(image[0].mean(0).double().numpy())
        truth = reference(model, image, target, cut, truth_samples)
        jobs = estimators(model, image, target, cut, seed=index + 1)
        if peer:
            jobs[f"lime at {PEER_SAMPLES}"] = lambda: run_peer(model, image, target, cut, index)  # noqa: B023
        row = {}
        for name, job in jobs.items():
            started = time.process_time()
            coefficients = job()
            milliseconds = 1000 * (time.process_time() - started)
            row[name] = (float(spearmanr(coefficients, truth).statistic), milliseconds)
        rows.append(row)
        print(
            f"sheet {index}: " + ", ".join(f"{n} {s:.3f} {ms:.0f} ms" for n, (s, ms) in row.items()),
            flush=True,
        )
    means = {
        name: {
            "spearman": float(np.mean([row[name][0] for row in rows])),
            "cpu_ms": float(np.median([row[name][1] for row in rows])),
        }
        for name in rows[0]
    }
    print(
        "\n".join(f"{name}: {each['spearman']:.4f}, {each['cpu_ms']:.0f} ms" for name, each in means.items())
    )
    return {"means": means, "sheets": rows}


def estimators(
    model: nn.Module, image: Tensor, target: int, cut: np.ndarray, *, seed: int
) -> dict[str, Callable[[], np.ndarray]]:
    """Ours at its default, and a regression without the emulator on as many and on more samples."""
    count = int(cut.max()) + 1

    def report() -> LimeReport:
        generator = torch.Generator().manual_seed(seed)
        return lime_report(model, image, target, segments=[cut], generator=generator)

    same = int(report().samples[0])

    def regress(samples: int) -> np.ndarray:
        predictor = masked_predictor(model, image[0], cut, target, None, 512.0)
        masks = torch.from_numpy(draw_masks(count, samples, np.random.default_rng(seed)).T.copy())
        return ridge_coefficients(masks, predictor.pool(predictor.predict(masks))).numpy()

    return {
        "emulator": lambda: report().coefficients[0],
        "without, same samples": lambda: regress(same),
        "without, 8 a superpixel": lambda: regress(8 * count),
    }


def reference(model: nn.Module, image: Tensor, target: int, cut: np.ndarray, samples: int) -> np.ndarray:
    """`lime`'s estimator: each superpixel shown with chance 1/2, weights of the kernel, ridge regression."""
    where = torch.from_numpy(cut).flatten()
    count = int(cut.max()) + 1
    masks = torch.randint(0, 2, (samples, count), generator=torch.Generator().manual_seed(99)).float()
    behind = mean_colours(image[0], where)
    logits = []
    with torch.no_grad():
        for part in masks.split(10):
            shown = part.index_select(1, where).reshape(-1, 1, *cut.shape)
            mixed = (behind + shown * (image - behind)).contiguous(memory_format=torch.channels_last)
            logits.append(model(mixed)[:, target].double())
    shown = masks.double().numpy()
    weight = np.exp(-((1 - np.sqrt(shown.mean(1))) ** 2) / (2 * 0.25**2))
    return Ridge(alpha=1).fit(shown, torch.cat(logits).numpy(), sample_weight=weight).coef_


def run_peer(model: nn.Module, image: Tensor, target: int, cut: np.ndarray, seed: int) -> np.ndarray:
    """The reference implementation's coefficients."""
    from lime.lime_image import LimeImageExplainer

    low, high = float(image.min()), float(image.max())
    picture = ((image[0].permute(1, 2, 0).numpy() - low) / (high - low)).astype(np.float64)

    def predict(batch: np.ndarray) -> np.ndarray:
        values = torch.from_numpy(batch.astype(np.float32) * (high - low) + low).permute(0, 3, 1, 2)
        with torch.no_grad():
            logits: np.ndarray = model(values).numpy()
        return logits

    count = int(cut.max()) + 1
    with redirect_stderr(io.StringIO()):  # its progress bar
        explanation = LimeImageExplainer(random_state=seed).explain_instance(
            picture, predict, labels=(target,), top_labels=None, hide_color=None, num_samples=PEER_SAMPLES,
            num_features=count, segmentation_fn=lambda _: cut, batch_size=50,
        )  # fmt: skip
    weights = dict(explanation.local_exp[target])
    return np.array([weights.get(piece, 0.0) for piece in range(count)])


if __name__ == "__main__":
    main()
