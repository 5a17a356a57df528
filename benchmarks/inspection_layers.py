"""Layers of the reduced SqueezeNet: probes and controls of every layer. Aim: 3 minutes on two cores.

    python benchmarks/inspection_layers.py [--sheets 2000] [--threads 2] [--tsne 500]

Sheets are noise with a planted difference, cut and classed like the study's: five classes, 60 % fit. All
layers, both inputs, the trained network (random weights serve, as time does not depend on them), two controls
and permuted labels. The trained network's t-SNE maps are timed apart. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import time

import numpy as np
import torch

from steelsight.inspection.probes.controls import RANDOM, TRAINED
from steelsight.inspection.probes.embedding import MapSpec, map_layers
from steelsight.inspection.probes.layers import standard_layers
from steelsight.inspection.probes.outputs import read_layers
from steelsight.inspection.probes.selection import ProbeSheets
from steelsight.inspection.probes.separability import ProbeOptions, inspect_layers
from steelsight.models.catalog import ModelSpec, SheetClassifier, build_model

AIM_S = 180.0
NAMES = ("none", "type 1", "type 2", "type 3", "type 4")


def main() -> None:
    """Time reading, probing and mapping; end with JSON."""
    options = _options()
    torch.set_num_threads(options.threads)
    sheets = _sheets(options.sheets)
    trained, imagenet, random = (_model(seed) for seed in range(3))
    layers = standard_layers(trained)

    before = _peak_mb()
    started = time.perf_counter()
    outputs = read_layers(trained, sheets.images, layers)
    reading = time.perf_counter() - started
    reading_mb = _peak_mb() - before
    held_mb = sum(each.pooled.nbytes + each.projected.nbytes for each in outputs.values()) / 2**20

    started = time.perf_counter()
    pooled = {name: output.pooled for name, output in outputs.items()}
    map_layers(pooled, sheets, MapSpec(sheets=options.tsne))
    mapping = time.perf_counter() - started
    del outputs, pooled

    started, spent = time.perf_counter(), time.process_time()
    nets = {TRAINED: trained, "imagenet": imagenet, RANDOM: random}
    inspect_layers(nets, sheets, layers, ProbeOptions(workers=options.threads), say=print)
    probing, processor = time.perf_counter() - started, time.process_time() - spent
    print(
        f"{len(layers)} layers of {options.sheets} sheets: probes with controls {probing:.0f} s "
        f"({processor:.0f} s of processor), aim {AIM_S:.0f} s; one network read in {reading:.0f} s, "
        f"{reading_mb:.0f} MB at peak of which {held_mb:.0f} MB are the result; maps {mapping:.0f} s"
    )
    result = {
        "probes_s": probing,
        "probes_processor_s": processor,
        "read_s": reading,
        "read_peak_mb": reading_mb,
        "held_mb": held_mb,
        "tsne_s": mapping,
        "sheets": options.sheets,
        "layers": len(layers),
        "threads": options.threads,
        "aim_s": AIM_S,
    }
    print(json.dumps(result))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sheets", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tsne", type=int, default=500)
    return parser.parse_args()


def _model(seed: int) -> SheetClassifier:
    spec = ModelSpec(name="squeezenet_reduced", outputs=len(NAMES))
    return build_model(spec, generator=torch.Generator().manual_seed(seed))


def _sheets(count: int) -> ProbeSheets:
    """Grain, and a bright bar whose width depends on the class."""
    rng = np.random.default_rng(0)
    labels = rng.choice(len(NAMES), count, p=[0.49, 0.06, 0.03, 0.38, 0.04])
    images = rng.normal(120, 20, (count, 64, 400)).astype(np.float32)
    for row, kind in enumerate(labels.tolist()):
        left = int(rng.integers(0, 350))
        images[row, 10:50, left : left + 6 * kind] += 60
    gray = np.clip(images, 0, 255).astype(np.uint8)
    return ProbeSheets(gray, labels.astype(np.int64), ("",) * count, int(0.6 * count), NAMES)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
