"""Bundles trained on generated sheets alone, judged on real strip images.

    python benchmarks/real_generated.py [BUNDLE ...] [--half tuning|report] [--json FILE]

Reads `severstal/` and `severstal_more/` under STEELSIGHT_DATA, whose sheets no bundle was trained on, and
`docs/results/real_halves.csv`, which says on which half choices were made. A sheet's score for "defective" is
1 - P(none). Balanced accuracy is over the sheets of at most one type; AUC is over all. Intervals are 95 %
bootstrap intervals over sheets, 2,000 draws within each class.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

import steelsight
from steelsight.types import State

ROOT = Path(__file__).parents[1]
HALVES = ROOT / "docs" / "results" / "real_halves.csv"
NAMES = ("none", "1", "2", "3", "4")
DRAWS = 2000


def main() -> None:
    """Print one row a bundle and half."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundles", nargs="*", default=["fast"])
    parser.add_argument("--half", choices=["tuning", "report"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    sheets = read_sheets(Path(os.environ["STEELSIGHT_DATA"]))
    halves = {row["ImageId"]: row["half"] for row in csv.DictReader(HALVES.read_text().splitlines())}
    found = {}
    print("| bundle | sheets | defect AUC | balanced accuracy | recall none, 1-4 | AUC 1-4 | decided |")
    print("|---|---|---|---|---|---|---|")
    for bundle in options.bundles:
        verdicts = list(steelsight.load(bundle, threads=1).stream([path for path, _ in sheets]))
        for half in ("tuning", "report") if options.half is None else (options.half,):
            rows = [i for i, (path, _) in enumerate(sheets) if halves[path.name] == half]
            result = judge([sheets[i][1] for i in rows], [verdicts[i] for i in rows])
            found[f"{bundle} {half}"] = result
            print(_line(bundle, half, len(rows), result), flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def read_sheets(data: Path) -> list[tuple[Path, tuple[str, ...]]]:
    """Image files and their classes; ("none",) for a defect-free sheet."""
    sheets = []
    for folder in (data / "severstal", data / "severstal_more"):
        for row in csv.DictReader((folder / "manifest.csv").read_text().splitlines()):
            sheets.append(
                (folder / "train_images" / row["ImageId"], tuple(row["classes"].split()) or ("none",))
            )
    return sheets


def judge(classes: list[tuple[str, ...]], verdicts: list[steelsight.Verdict]) -> dict[str, object]:
    """All figures of one set of sheets."""
    probabilities = np.array([verdict.probabilities for verdict in verdicts])  # (n, 5)
    defective = np.array(["none" not in names for names in classes])
    single = np.array([NAMES.index(names[0]) if len(names) == 1 else -1 for names in classes])
    predicted = probabilities.argmax(1)
    decided = np.array([verdict.state is State.DECIDED for verdict in verdicts])
    right = np.array([NAMES[p] in names for p, names in zip(predicted, classes, strict=True)])
    rng = np.random.default_rng(0)
    draws = [_draw(single, rng) for _ in range(DRAWS)]
    auc, balanced = (
        _with_interval(lambda rows, of=of: of(rows), np.arange(len(classes)), draws)
        for of in (
            lambda rows: roc_auc_score(defective[rows], 1 - probabilities[rows, 0]),
            lambda rows: float(np.mean(_recalls(single[rows], predicted[rows]))),
        )
    )
    return {
        "auc": auc,
        "balanced": balanced,
        "recalls": _recalls(single, predicted),
        "type_auc": [
            roc_auc_score([NAMES[k] in names for names in classes], probabilities[:, k]) for k in range(1, 5)
        ],
        "decided": int(decided.sum()),
        "decided_right": int((decided & right).sum()),
    }


def _draw(single: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.concatenate(
        [rng.choice(rows, rows.size) for k in range(-1, 5) if (rows := np.flatnonzero(single == k)).size]
    )


def _with_interval(figure, rows: np.ndarray, draws: list[np.ndarray]) -> tuple[float, float, float]:
    low, high = np.quantile([figure(draw) for draw in draws], [0.025, 0.975])
    return float(figure(rows)), float(low), float(high)


def _recalls(single: np.ndarray, predicted: np.ndarray) -> list[float]:
    return [float((predicted[single == k] == k).mean()) for k in range(5)]


def _line(bundle: str, half: str, count: int, result: dict) -> str:
    auc, balanced = ("{:.3f} [{:.3f}, {:.3f}]".format(*result[name]) for name in ("auc", "balanced"))
    recalls, types = (" / ".join(f"{v:.2f}" for v in result[name]) for name in ("recalls", "type_auc"))
    decided = f"{result['decided']} of {count}, {result['decided_right']} right"
    return f"| {bundle} | {half}, {count} | {auc} | {balanced} | {recalls} | {types} | {decided} |"


if __name__ == "__main__":
    main()
