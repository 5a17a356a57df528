"""Images of many neurons: seconds for 64 of them, 256 steps at 64x400, and what a plain loop takes.

    python benchmarks/inspection_neurons.py [--neurons 64] [--steps 256] [--layer features.9] [--threads 2]

One process, reduced SqueezeNet. The baseline is one neuron after the other through the whole network with
Adam, hooks recording the layer; it is timed over a few steps and scaled. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from steelsight.errors import MissingWeights
from steelsight.inspection.neurons.maximise import maximise
from steelsight.inspection.neurons.settings import GROWN, PLAIN, Ascent, Neuron
from steelsight.models.capture import capture
from steelsight.models.catalog import ModelSpec, SheetClassifier, build_model

USUAL_NEURONS, USUAL_STEPS = 2, 16


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--neurons", type=int, default=64)
    parser.add_argument("--steps", type=int, default=256)
    parser.add_argument("--layer", default="features.9")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = build()
    neurons = [Neuron(options.layer, channel) for channel in range(options.neurons)]
    plain = replace(PLAIN, steps=options.steps, clip=True)
    every = max(1, options.steps * GROWN.every // PLAIN.steps)
    grown = replace(GROWN, steps=5 * every, every=every, kernels=(5,), clip=True)
    usual = options.neurons * options.steps * usual_step(model, options.layer)
    forms = {
        "plain": plain,
        "plain_bf16": replace(plain, precision="bf16"),
        "grown_one_kernel": grown,
    }
    found: dict[str, float] = {}
    for name, ascent in forms.items():
        found[name] = measure(model, neurons, ascent)
        print(f"{name:18}{found[name]:8.1f} s, the baseline {usual:.1f} s", flush=True)
    print(
        json.dumps(
            {
                "neurons": options.neurons,
                "steps": options.steps,
                "layer": options.layer,
                "threads": options.threads,
                "seconds": found,
                "usual_seconds": usual,
                "speedup": usual / found["plain"],
            }
        )
    )


def build() -> SheetClassifier:
    """The study's network, from ImageNet where its weights are at hand."""
    for start in ("imagenet", "none"):
        try:
            return build_model(ModelSpec(name="squeezenet_reduced", outputs=2, pretrained=start)).eval()
        except MissingWeights:
            continue
    raise AssertionError("a random start needs no weights")


def measure(model: SheetClassifier, neurons: list[Neuron], ascent: Ascent) -> float:
    """Seconds of one run, after a short one that warms up."""
    maximise(model, neurons[: ascent.chunk], replace(ascent, steps=2), generator=seeded())
    begin = time.perf_counter()
    values = maximise(model, neurons, ascent, generator=seeded()).values
    if not np.isfinite(values).all():
        raise AssertionError("a neuron's value is not a number")
    return time.perf_counter() - begin


def usual_step(model: nn.Module, layer: str) -> float:
    """Seconds of one step of one neuron: the whole network, a hook, Adam."""
    taken = []
    for channel in range(USUAL_NEURONS):
        image = torch.zeros(1, 3, 64, 400).normal_(0, 0.1, generator=seeded()).requires_grad_()
        optimiser = torch.optim.Adam([image], lr=0.05)
        with capture(model, [layer]) as captured:
            for _ in range(USUAL_STEPS):
                begin = time.perf_counter()
                optimiser.zero_grad()
                model(image)
                (-captured.activations[layer][0, channel].mean()).backward()
                optimiser.step()
                taken.append(time.perf_counter() - begin)
    return float(np.median(taken))


def seeded() -> torch.Generator:
    """The same start every time."""
    return torch.Generator().manual_seed(0)


if __name__ == "__main__":
    main()
