"""Learning curve of training from ImageNet on the folds and draws of `benchmarks/adapt.py`.

    python benchmarks/training_curve.py BUNDLE DATA [DATA ...] [--curve 5 10] [--epochs 30] [-- OPTIONS]

In each of five folds by groups, the default recipe is trained on at most so many sheets of each class and
answers the sheets left out; the draws are those of the first repetition of `benchmarks/adapt.py BUNDLE`, so
that the two curves are paired. A training sheet of several types counts for the lowest. What follows `--` is
given to `steelsight train`. Prints rows and JSON; with --figure FILE also draws them, with --result FILE
those of an earlier JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pyarrow.parquet as pq

from adapt import FOLDS, Measured, learn_from, show
from steelsight.plain import plain
from steelsight.streams import indexed_stream

EVERY = 10**6  # sheets a class: all of them


def main() -> None:
    """Train on every fold and number of sheets, and compare with the heads of `adapt`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--curve", type=int, nargs="*", default=[5, 10, 20, EVERY])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--result", type=Path, help="JSON of an earlier run, which is drawn only")
    arguments = sys.argv[1:]
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:cut])
    extra = arguments[cut + 1 :]
    if options.result is not None and options.figure is not None:
        draw(json.loads(options.result.read_text()), options.figure)
        return
    measured = Measured(options.bundle, options.data)
    result = {}
    for count in options.curve:
        trained = train_folds(measured, options, count, extra)
        fitted = learn_from(measured, count, 1, options.seed)
        pair = measured.compare(fitted, options.seed, trained)
        areas = pair.defect_auc
        name = "all" if count == EVERY else f"{count} a class"
        show(f"{name}: trained", pair.balanced_accuracy.own, areas and areas.own)
        show(f"{name}: adapted", pair.balanced_accuracy.new, areas and areas.new)
        show(f"{name}: gain of adapted", pair.balanced_accuracy.gain, areas and areas.gain)
        result[name] = pair.as_dict()
    print(json.dumps(plain(result)))
    if options.figure is not None:
        draw(plain(result), options.figure)


def draw(result: dict[str, Any], path: Path) -> None:
    """Both figures against the number of sheets, with 95 % intervals."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    places = np.arange(len(result))
    for axis, key, title in zip(
        axes, ("balanced_accuracy", "defect_auc"), ("Balanced accuracy", "Defect AUC"), strict=True
    ):
        for shift, which, words, colour, marker in (
            (-0.06, "new", "adapted: head of `accurate`", "#1f5fa8", "o"),
            (0.06, "own", "trained from ImageNet", "#8a8a8a", "s"),
        ):
            each = [values[key][which] for values in result.values()]
            middle = np.array([value["estimate"] for value in each])
            ends = np.array([[v["estimate"] - v["low"], v["high"] - v["estimate"]] for v in each]).T
            axis.errorbar(
                places + shift, middle, ends, label=words, color=colour, marker=marker, capsize=3, lw=1.5
            )
        axis.set_xticks(places, list(result))
        axis.set(title=title, ylim=(0.3, 1.02), xlabel="labelled real sheets to learn from")
        axis.grid(axis="y", color="#e4e4e4")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, loc="upper left")
    figure.savefig(path, dpi=120)


def train_folds(measured: Measured, options: argparse.Namespace, count: int, extra: list[str]) -> np.ndarray:
    """Out-of-fold logits (1, n, c) of trainings on at most `count` sheets of each class."""
    sheets = measured.fit_sheets()
    logits = np.full((1, *sheets.shares.shape), np.nan)
    rng = indexed_stream(options.seed, 0)
    for fit, test in sheets.folds(FOLDS, rng):
        rows = rng.permutation(fit)
        few = [rows[sheets.labels[rows] == c][:count] for c in range(sheets.shares.shape[1])]
        rng.integers(2**31)  # as `learn_from`, which seeds its fit
        logits[0, test] = train_one(measured, options, np.concatenate(few), test, extra)
    return logits


def train_one(
    measured: Measured, options: argparse.Namespace, rows: np.ndarray, test: np.ndarray, extra: list[str]
) -> np.ndarray:
    """Logits of the test sheets, in the order of the plan's classes."""
    names, labels = measured.plan.names, measured.fit_sheets().labels
    files = {path.name: path for folder in options.data for path in folder.rglob("*.jpg")}
    with tempfile.TemporaryDirectory() as scratch:
        for part, some in (("train", rows), ("test", test)):
            for row in some.tolist():
                image = files[Path(measured.sheets.ids[row]).name]
                link = Path(scratch) / "data" / part / names[labels[row]] / f"{row}.jpg"
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(image)
        run = Path(scratch) / "run"
        command = ["steelsight", "train", str(Path(scratch) / "data"), "--split", "given", "--out", str(run)]
        command += ["--task", "multiclass", "--epochs", str(options.epochs)]
        shares = ("split.train=.8", "split.validation=0", "split.test=.2")
        command += [part for share in shares for part in ("--set", share)]
        done = subprocess.run([*command, *extra], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        table = pq.read_table(run / "predictions.parquet")
    order = (table.schema.metadata or {})[b"class_names"].decode().split("\n")
    columns = [order.index(name) for name in names]
    answers = {
        int(Path(each["id"]).stem): np.array(each["logits"])[columns]
        for each in table.to_pylist()
        if each["split"] == "test"
    }
    return np.stack([answers[row] for row in test.tolist()])


if __name__ == "__main__":
    main()
