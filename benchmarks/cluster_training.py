"""Time of a cross-validation by two workers of Ray over one after the other, one thread each, two cores.

    OMP_NUM_THREADS=1 python benchmarks/cluster_training.py [--sheets N] [--epochs N] [--rounds N]
        [--no-machine-ratio] [--out FILE]

5 folds x 3 repeats of the default recipe on generated sheets. The two ways alternate, so that both meet the
same machine; the first round by Ray includes the start of its workers, and the start of Ray itself is told
apart. `machine_ratio` is the rate of two plain processes that train at the same time over the rate of one:
what this machine can give at most. All weights, predictions and figures of the two ways must be equal to the
bit, otherwise it ends with code 1. Nothing else may run on the machine. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing

from steelsight.cluster.connect import connect
from steelsight.cluster.executor import RayExecutor
from steelsight.executor import Executor, LocalExecutor
from steelsight.models.checkpoint import load_checkpoint
from steelsight.sheets.synthetic import synth_spec, write_sheets
from steelsight.training.folds import CrossValidation, cross_validate
from steelsight.training.options import FoldOptions
from steelsight.training.recipe_files import load_recipe

FOLDS, REPEATS = 5, 3
MEASURED = {"seconds", "images_per_second"}


def main() -> int:
    """Measure, compare and print; 1 where figures differ."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sheets", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--no-machine-ratio", action="store_false", dest="machine_ratio")
    parser.add_argument("--out", type=Path, help="file for the JSON too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), options)
    text = json.dumps(result, indent=2)
    print(text)
    if options.out is not None:
        options.out.write_text(f"{text}\n")
    return 0 if result["identical"] else 1


def measure(root: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Times of both ways in every round, their ratios, and whether all figures agree."""
    write_sheets(synth_spec(count=options.sheets, seed=1), root / "DATA")
    here, there = [], []
    identical = True
    began = time.perf_counter()
    with connect("local"):
        executor = RayExecutor(print)
        start = time.perf_counter() - began
        for number in range(options.rounds):
            one, seconds = validate(root, f"here-{number}", options.epochs, LocalExecutor())
            here.append(seconds)
            other, seconds = validate(root, f"there-{number}", options.epochs, executor)
            there.append(seconds)
            identical &= facts(one) == facts(other)
    return {
        "trainings": FOLDS * REPEATS,
        "sheets": options.sheets,
        "epochs": options.epochs,
        "cores": os.cpu_count(),
        "seconds_one_after_the_other": here,
        "seconds_by_ray": there,
        "ratios": [slow / fast for slow, fast in zip(here, there, strict=True)],
        "seconds_to_start_ray": start,
        "machine_ratio": machine_ratio(root, options.epochs) if options.machine_ratio else None,
        "identical": identical,
    }


def machine_ratio(root: Path, epochs: int) -> float:
    """The rate of two plain processes that train at the same time over the rate of one."""
    start = torch.multiprocessing.get_context("spawn")
    seconds = []
    for turn, count in enumerate((1, 1, 2)):  # the first fills the caches
        processes = [
            start.Process(target=validate_once, args=(root, f"plain-{turn}-{number}", epochs))
            for number in range(count)
        ]
        began = time.perf_counter()
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            assert process.exitcode == 0
        seconds.append(time.perf_counter() - began)
    return 2 * seconds[1] / seconds[2]


def validate_once(root: Path, name: str, epochs: int) -> None:
    """Five trainings, one after the other."""
    torch.set_num_threads(1)
    validate(root, name, epochs, LocalExecutor(), repeats=1)


def validate(
    root: Path, name: str, epochs: int, executor: Executor, repeats: int = REPEATS
) -> tuple[CrossValidation, float]:
    """A cross-validation, and its time in seconds."""
    settings = ("task=multiclass", f"stop.max_epochs={epochs}", "stop.patience=0", "compute.threads=1")
    began = time.perf_counter()
    done = cross_validate(
        root / "DATA",
        recipe=load_recipe("default", [*settings, "model.pretrained=none"]),
        out=root / name,
        folds=FoldOptions(FOLDS, repeats),
        executor=executor,
    )
    return done, time.perf_counter() - began


def facts(done: CrossValidation) -> tuple[Any, ...]:
    """What must be equal to the bit: pooled figures, predictions, and the weights of every fold."""
    runs = sorted(path.parent for path in done.folder.glob("fold-*/model.safetensors"))
    weights = [(run.name, load_checkpoint(run)[1].weights_sha256) for run in runs]
    return strip(done.metrics), (done.folder / "predictions.parquet").read_bytes(), weights


def strip(values: Any) -> Any:
    """Figures without times."""
    if isinstance(values, dict):
        return {name: strip(value) for name, value in values.items() if name not in MEASURED}
    return [strip(value) for value in values] if isinstance(values, list) else values


if __name__ == "__main__":
    sys.exit(main())
