"""Training throughput beside the same loop written the usual way. Aim: at least 6x.

    python benchmarks/training.py [--sheets 256] [--rounds 5] [--threads 2]

Ours is `training.fit` with the default recipe on the cached bytes of 1600x256 JPEGs. The usual way decodes
each JPEG with Pillow in every epoch, resizes and normalises it with torchvision, and trains the same
network with the same optimiser, float32, contiguous, eager. `usual` does the recipe's other work too, as
torch and torchvision offer it: flips, exposure, gradient clipping, averaged weights. `bare` leaves all four
out, which favours it. Each has a process of its own, because `fit` changes how its process keeps memory;
they take turns, an epoch each, the other waiting. Figures are medians over rounds, of images a second by
the clock and, less disturbed by neighbours, by processor time. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision import transforms

from steelsight.models.catalog import SheetClassifier, build_model
from steelsight.models.inputs import IMAGENET_MEAN, IMAGENET_STD
from steelsight.sheets.synthetic import SynthSpec, write_sheets
from steelsight.training.dataset import SheetData, TrainingData, open_training_sheets
from steelsight.training.loop.fit import fit
from steelsight.training.loop.progress import NoProgress
from steelsight.training.loop.state import EpochRow
from steelsight.training.recipe import Recipe
from steelsight.training.recipe_files import load_recipe

AIM = 6.0


def main() -> None:
    """Take turns, print medians, end with JSON."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STEELSIGHT_CACHE"] = f"{folder}/cache"
        write_sheets(SynthSpec(count=options.sheets), Path(folder) / "DATA")
        build_seconds = _open(Path(folder))[1]
        rates = _take_turns(Path(folder), options)
    result: dict[str, float] = {}
    for clock, suffix in (("clock", ""), ("processor", "_processor")):
        for name in LOOPS:
            result[f"{name}{suffix}"] = median(turn[clock] for turn in rates[name])
        for name, key in (("usual", "speedup"), ("bare", "speedup_bare")):
            pairs = zip(rates["ours"], rates[name], strict=True)
            speedup = median(mine[clock] / theirs[clock] for mine, theirs in pairs)
            result[f"{key}{suffix}"] = speedup
            speeds = f"ours {result['ours' + suffix]:5.0f}  {name} {result[name + suffix]:5.0f} images/s"
            print(f"by {clock:<10} {speeds}  {speedup:.1f}x, aim {AIM:.0f}x")
    print(f"decoding once into the cache took {build_seconds:.1f} s for {options.sheets} sheets")
    print(json.dumps({**result, "threads": options.threads, "sheets": options.sheets, "aim": AIM}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sheets", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def _recipe() -> Recipe:
    return load_recipe("default", ["pretrained=none", "max_epochs=1000"])


def _open(folder: Path) -> tuple[SheetData, float]:
    started = time.perf_counter()
    data = open_training_sheets(folder / "DATA", _recipe())
    return data, time.perf_counter() - started


def _model() -> SheetClassifier:
    return build_model(_recipe().model_spec(2), generator=torch.Generator().manual_seed(0))


class _Turns:
    """One side's epochs: waits for its turn, then says how many images a second the turn made."""

    def __init__(self, pipe: Connection, images: int) -> None:
        self.pipe, self.images = pipe, images

    def wait(self) -> bool:
        """False when no more turns come."""
        wanted: bool = self.pipe.recv()
        self.started, self.spent = time.perf_counter(), _processor_seconds()
        return wanted

    def done(self) -> None:
        clock = self.images / (time.perf_counter() - self.started)
        self.pipe.send({"clock": clock, "processor": self.images / (_processor_seconds() - self.spent)})


class _Watcher(NoProgress):
    """Pauses `fit` between epochs."""

    def __init__(self, turns: _Turns) -> None:
        self.turns = turns

    def epoch(self, row: EpochRow, *, best: bool) -> None:  # noqa: ARG002
        self.turns.done()
        if not self.turns.wait():
            raise KeyboardInterrupt


def _ours(folder: Path, threads: int, pipe: Connection) -> None:
    torch.set_num_threads(threads)
    data = _open(folder)[0]
    training_data = TrainingData(data.images, data.labelled.labels, np.arange(len(data.items)), np.arange(0))
    turns = _Turns(pipe, len(data.items))
    turns.wait()
    with suppress(KeyboardInterrupt):
        fit(_model(), training_data, _recipe(), seed=0, progress=_Watcher(turns))


def _usual(folder: Path, threads: int, pipe: Connection, *, bare: bool = False) -> None:
    torch.set_num_threads(threads)
    data = _open(folder)[0]
    way = _UsualWay(data, _recipe(), bare=bare)
    turns = _Turns(pipe, len(data.items))
    while turns.wait():
        way.epoch()
        turns.done()


LOOPS: dict[str, Callable[[Path, int, Connection], None]] = {
    "ours": _ours,
    "usual": _usual,
    "bare": partial(_usual, bare=True),
}


def _take_turns(folder: Path, options: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """Images a second of each loop's epochs, in turns, after one epoch each to warm up."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = {}, []
    for name, loop in LOOPS.items():
        pipes[name], theirs = context.Pipe()
        processes.append(context.Process(target=loop, args=(folder, options.threads, theirs)))
        processes[-1].start()
    rates: dict[str, list[dict[str, float]]] = {name: [] for name in LOOPS}
    for number in range(options.rounds + 1):
        for name, pipe in pipes.items():
            pipe.send(True)
            turn = pipe.recv()
            if number:
                rates[name].append(turn)
    for pipe in pipes.values():
        pipe.send(False)
    for process in processes:
        process.join()
    return rates


class _UsualWay:
    """A dataset that decodes, a loader, and a loop."""

    def __init__(self, data: SheetData, recipe: Recipe, *, bare: bool) -> None:
        self.model = _model().to(memory_format=torch.contiguous_format).train()
        files = _Files(data, [] if bare else _changes(recipe))
        self.loader = torch.utils.data.DataLoader(files, batch_size=recipe.batch_size, shuffle=True)
        self.clip = 0.0 if bare else recipe.optimiser.clip
        decay = torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.optimiser.ema)
        self.average = None if bare else torch.optim.swa_utils.AveragedModel(self.model, multi_avg_fn=decay)
        optimiser = recipe.optimiser
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=optimiser.learning_rate, weight_decay=optimiser.weight_decay
        )
        self.loss = nn.CrossEntropyLoss()

    def epoch(self) -> None:
        for images, labels in self.loader:
            self.optimiser.zero_grad()
            self.loss(self.model(images), labels).backward()
            if self.clip:
                nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
            self.optimiser.step()
            if self.average is not None:
                self.average.update_parameters(self.model)


def _changes(recipe: Recipe) -> list[nn.Module]:
    """torchvision's own for what the recipe does to images."""
    spec = recipe.augment
    return [
        transforms.RandomHorizontalFlip(spec.hflip),
        transforms.RandomVerticalFlip(spec.vflip),
        transforms.ColorJitter(brightness=spec.gain, contrast=spec.gamma),
    ]


class _Files(torch.utils.data.Dataset[tuple[Tensor, int]]):
    def __init__(self, data: SheetData, changes: list[nn.Module]) -> None:
        self.paths = [item.path for item in data.items]
        self.labels = data.labelled.labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.Resize((data.input.height, data.input.width)),
                *changes,
                transforms.ToTensor(),
                transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        with Image.open(self.paths[index]) as image:
            return self.transform(image.convert("RGB")), self.labels[index]


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
