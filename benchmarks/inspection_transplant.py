"""A whole transplant against a baseline: every mixed model copied, loaded and run from the first layer.

    python benchmarks/inspection_transplant.py [--sheets 256] [--donors 3] [--threads 2]

Reduced SqueezeNet with the study's head at 64x400, random weights, a donor of two classes into a receiver of
five. Both give the same logits, bit for bit. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import torch

from steelsight.inspection.transplant.cka import compare_layers
from steelsight.inspection.transplant.parts import fit_parts, list_parts
from steelsight.inspection.transplant.replace import composition_logits, plan_steps, replace_parts
from steelsight.models.catalog import ModelSpec, SheetClassifier, build_model
from steelsight.models.inputs import to_input

BATCH = 32


def main() -> None:
    """Measure both once, in turn for each donor, and print the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sheets", type=int, default=256)
    parser.add_argument("--donors", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    images = np.random.default_rng(0).integers(0, 256, (options.sheets, 64, 400), dtype=np.uint8)
    receiver = _network(5, 0)
    donors = [_network(2, 1 + number) for number in range(options.donors)]
    parts = len(list_parts(receiver))
    shared, plain, models = 0.0, 0.0, 0
    _plain(receiver, images[:BATCH])  # warm
    for donor in donors:
        taken = fit_parts(receiver, donor).taken
        compositions = {
            tuple(int(i in step.taken) for i in range(parts)) for step in plan_steps("donor", taken)
        }
        started = time.perf_counter()
        logits = composition_logits(
            [receiver, replace_parts(receiver, donor, taken)], sorted(compositions), images, batch=BATCH
        )
        shared += time.perf_counter() - started
        started = time.perf_counter()
        for row, composition in enumerate(sorted(compositions)):
            mixed = replace_parts(receiver, donor, [i for i in range(parts) if composition[i]])
            if not np.array_equal(_plain(mixed, images), logits[row]):
                raise SystemExit(f"composition {composition}: the two logits differ")
        plain += time.perf_counter() - started
        models += len(compositions)
    started = time.perf_counter()
    compare_layers(receiver, {"donor": donors[0]}, images, rng=np.random.default_rng(0))
    cka = time.perf_counter() - started
    results = {
        "benchmark": "inspection_transplant",
        "sheets": options.sheets,
        "mixed_models": models,
        "threads": options.threads,
        "seconds": round(shared, 2),
        "seconds_usual_way": round(plain, 2),
        "ratio": round(plain / shared, 2),
        "ms_a_model_and_sheet": round(1000 * shared / models / options.sheets, 3),
        "cka_seconds": round(cka, 2),
    }
    for name, value in results.items():
        print(f"{name:<22} {value}")
    print(json.dumps(results))


def _network(outputs: int, seed: int) -> SheetClassifier:
    spec = ModelSpec(name="squeezenet_reduced", outputs=outputs)
    return build_model(spec, generator=torch.Generator().manual_seed(seed)).eval()


def _plain(model: SheetClassifier, images: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        batches = [
            model.eval()(to_input(torch.from_numpy(images[start : start + BATCH]))).numpy()
            for start in range(0, len(images), BATCH)
        ]
    return np.concatenate(batches)


if __name__ == "__main__":
    main()
