"""Write a bundle of a network with ImageNet's weights and an untrained head: what `adapt` is compared with.

    python benchmarks/imagenet_bundle.py OUT [--model efficientnet_lite0] [--height 128] [--width 800]

The head answers at random, so the bundle is of use only as the start of `steelsight adapt`: features of
everyday photographs, to compare with features learnt from generated steel in benchmarks/adapt.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from steelsight.deploy.graph import OPSET, build_graph
from steelsight.models.catalog import ModelSpec, build_model
from steelsight.runtime.bundle.card import BundleCard, GraphFacts
from steelsight.runtime.bundle.writer import describe_files, write_bundle
from steelsight.sheets.formats.severstal import TYPE_NAMES
from steelsight.types import InputSpec


def main() -> None:
    """Write one bundle."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--height", type=int, default=128)
    parser.add_argument("--width", type=int, default=800)
    options = parser.parse_args()
    spec = ModelSpec(
        name=options.model,
        outputs=len(TYPE_NAMES),
        head="direct",
        height=options.height,
        width=options.width,
        pretrained="imagenet",
    )
    model = build_model(spec, generator=torch.Generator().manual_seed(0)).eval()
    shapes = model.map_shapes()
    files = {"model.onnx": build_graph(model).SerializeToString(deterministic=True)}
    card = BundleCard(
        task="multiclass",
        class_names=TYPE_NAMES,
        model=options.model,
        head="direct, untrained",
        input=InputSpec(options.height, options.width),
        graph=GraphFacts(opset=OPSET, grid=shapes.grid, embedding=shapes.channels),
        precision="f32",
        files=describe_files(files),
    )
    write_bundle(options.out, card, files)


if __name__ == "__main__":
    main()
