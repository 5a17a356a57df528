"""Familiarity on real strip images and on foreign ones: how many are called unknown input.

    python benchmarks/familiarity.py [BUNDLE] [--json FILE]

Reads `severstal/`, `severstal_more/` and `magnetic_tile/` under STEELSIGHT_DATA. Foreign images are made from
the real sheets (inverted, other lighting), drawn by the generator (chequer and tear plate), photographs of
another product, and drawn pictures that show no sheet. AUC tells the images of a row from the real sheets by
the distance; .5 = cannot.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

import steelsight
from real_generated import read_sheets
from steelsight.evaluation.intervals.bootstrap import wilson
from steelsight.runtime.engine.engine import decide
from steelsight.runtime.engine.inspector import Inspector
from steelsight.runtime.engine.reading import read_image
from steelsight.sheets.outlier_sheets import OUTLIER_SHEETS, draw_outlier_sheets
from steelsight.sheets.synthetic.sheet import draw_sheet
from steelsight.sheets.synthetic.spec import synth_spec

EACH = 60  # drawn pictures of a kind
TILES = 104  # photographs of magnetic tile, evenly taken


def main() -> None:
    """Print one row a kind of images."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", nargs="?", default="fast")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    inspector = steelsight.load(options.bundle, threads=1)
    data = Path(os.environ["STEELSIGHT_DATA"])
    real = _read(inspector, [path for path, _ in read_sheets(data)])
    limit = inspector.bundle.card.familiarity.limit
    inside = distances(inspector, real)
    found = {}
    print(f"limit {limit:.2f}, model {inspector.bundle.card.model_id}")
    print("| images | unknown input | median distance | AUC |")
    print("|---|---|---|---|")
    for name, images in _kinds(inspector, data, real):
        distance = distances(inspector, images)
        unknown = int((distance > limit).sum())
        share = wilson(unknown, distance.size)
        auc = roc_auc_score(np.r_[np.zeros(inside.size), np.ones(distance.size)], np.r_[inside, distance])
        found[name] = {"images": distance.size, "unknown": unknown, "auc": auc}
        words = f"{unknown} of {distance.size} [{share.low:.2f}, {share.high:.2f}]"
        print(f"| {name} | {words} | {np.median(distance):.1f} | {auc:.2f} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def distances(inspector: Inspector, images: np.ndarray) -> np.ndarray:
    """The distance from the training sheets, (n,)."""
    return decide(inspector.engine(images), inspector.bundle.card, inspector.bundle.statistics).distance


def _kinds(inspector: Inspector, data: Path, real: np.ndarray) -> list[tuple[str, np.ndarray]]:
    spec = inspector.bundle.card.input
    rng = np.random.default_rng(0)
    tiles = sorted((data / "magnetic_tile").glob("*/**/*.jpg"))
    tiles = [tiles[i] for i in np.linspace(0, len(tiles) - 1, TILES).round().astype(int)]
    drawn = [(name, draw_outlier_sheets(name, EACH, spec.height, spec.width, rng)) for name in OUTLIER_SHEETS]
    plates = synth_spec(
        seed=991, count=EACH, version=2, class_shares=(1, 0, 0, 0, 0), plate_given_none=1, stain_given_none=0
    )
    return [
        ("real sheets", real),
        *((name, change(real)) for name, change in LIGHTING.items()),
        (
            "generated chequer and tear plate",
            _read(inspector, [draw_sheet(plates, i).gray for i in range(EACH)]),
        ),
        ("magnetic tiles", _read(inspector, tiles)),
        *drawn,
    ]


def _read(inspector: Inspector, images: list) -> np.ndarray:
    return np.stack([read_image(image, inspector.bundle.card.input).gray for image in images])


def _gamma(power: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda images: _levels(255 * (images / 255) ** power)


def _gradient(least: float, axis: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(images: np.ndarray) -> np.ndarray:
        shape = [1, 1, 1]
        shape[axis] = images.shape[axis]
        return _levels(images * np.linspace(least, 2 - least, images.shape[axis]).reshape(shape))

    return change


def _lamps(images: np.ndarray) -> np.ndarray:
    """Bright bands of a row of lamps, eight along the sheet."""
    bands = np.cos(np.linspace(0, 16 * np.pi, images.shape[2])) ** 8
    return _levels(images + 110 * bands[None, None])


def _levels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


LIGHTING: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "inverted": lambda images: 255 - images,
    "gamma 0.4 (brighter)": _gamma(0.4),
    "gamma 2.5 (darker)": _gamma(2.5),
    "gain 1.8": lambda images: _levels(images * 1.8),
    "lighting falls to 0.1 along the sheet": _gradient(0.1, 2),
    "lighting falls to 0.1 across the sheet": _gradient(0.1, 1),
    "reflections of eight lamps": _lamps,
}

if __name__ == "__main__":
    main()
