"""Trains several models, each of its own split, recipe and seed, by an `Executor`.

A training has the same figures wherever it is done on one type of processor: the threads of torch and of the
linear algebra, on which roundings depend, are those of the process that asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import torch
from threadpoolctl import threadpool_info, threadpool_limits

from steelsight.executor import Event, Executor, LocalExecutor, Receive, Send, Work
from steelsight.reports.figures.style import svg_figures, svg_wanted
from steelsight.sheets.grouping.splits import Split
from steelsight.training.dataset import SheetData
from steelsight.training.facts import facts_of
from steelsight.training.loop.progress import NoProgress, TrainingProgress, describe_epoch
from steelsight.training.loop.state import EpochRow
from steelsight.training.recipe import Recipe
from steelsight.training.run import RunResult, forget_training, train_data

__all__ = ["LOCAL", "Training", "TrainingTasks", "run_trainings", "train_each"]

LOCAL: Final = LocalExecutor()
_PASSED_ON: Final = ("STEELSIGHT_WEIGHTS", "STEELSIGHT_MODULES")  # variables that a training reads

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Training:
    """One of several trainings."""

    name: str  # shown with its progress
    data: SheetData
    split: Split
    recipe: Recipe
    folder: Path  # RUN
    seed: int


def train_each(
    trainings: Sequence[Training],
    *,
    reads: Sequence[Path],
    fresh: bool = False,
    progress: TrainingProgress | None = None,
    executor: Executor = LOCAL,
    train: Callable[..., RunResult] = train_data,
) -> Generator[tuple[int, RunResult], None, None]:
    """Train every model, or reuse its finished training.

    reads    folders of the sheets
    train    the training function, of a module; takes the arguments of run.train_data
    returns  index and run of each, in the order in which they end
    raises   as run.train_data
    """
    if fresh and executor.concurrent:
        for each in trainings:  # here and once: a task that is begun again finds its own checkpoint
            forget_training(each.folder)
        fresh = False
    tasks = TrainingTasks(
        function=_train_one,
        shared=(train, fresh),
        tasks=trainings,
        names=[each.name for each in trainings],
        recipes=[each.recipe for each in trainings],
        reads=reads,
        writes=list(dict.fromkeys(each.folder.parent for each in trainings)),
    )
    return run_trainings(tasks, progress=progress or NoProgress(), executor=executor)


def _train_one(
    shared: tuple[Callable[..., RunResult], bool], task: Training, progress: TrainingProgress
) -> RunResult:
    train, fresh = shared
    return train(
        task.data, task.split, task.recipe, task.folder, seed=task.seed, fresh=fresh, progress=progress
    )


@dataclass(frozen=True)
class TrainingTasks:
    """Independent calls of one function that trains; one name and one recipe a call."""

    function: Callable[[Any, Any, TrainingProgress], Any]  # of a module: shared, task, where progress goes
    shared: Any
    tasks: Sequence[Any]
    names: Sequence[str]
    recipes: Sequence[Recipe]  # for the number of cores, and the software
    reads: Sequence[Path]
    writes: Sequence[Path]


def run_trainings(
    tasks: TrainingTasks, *, progress: TrainingProgress, executor: Executor
) -> Generator[tuple[int, Any], None, None]:
    """Call the function of the tasks for each of them.

    returns  index and result of each, in the order in which they end
    raises   what the function raises
    """
    concurrent = executor.concurrent
    work = Work(
        function=_call,
        shared=_Call(tasks.function, tasks.shared, _Process.this() if concurrent else None),
        tasks=tasks.tasks,
        names=tasks.names,
        cores=max((_cores(recipe) for recipe in tasks.recipes), default=1),
        reads=tasks.reads,
        writes=tasks.writes,
        facts=facts_of([recipe.model.name for recipe in tasks.recipes]),
    )
    receive = _prefixed(progress, tasks.names) if concurrent else _replayed(progress, tasks.names)
    with closing(executor.run(work, receive)) as ended:  # its tasks end before the caller goes on
        for done, (index, result) in enumerate(ended, 1):
            if concurrent:
                progress.trained(done, len(tasks.tasks))
            yield index, result


def _cores(recipe: Recipe) -> int:
    return recipe.compute.threads or torch.get_num_threads()


@dataclass(frozen=True)
class _Process:
    """What a training takes from its process: threads, the form of figures, variables of the environment."""

    threads: int  # of torch
    algebra: int  # of BLAS
    svg: bool
    variables: dict[str, str]

    @classmethod
    def this(cls) -> _Process:
        """Of this process."""
        libraries = [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]
        given = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return cls(torch.get_num_threads(), max(libraries, default=1), svg_wanted(), given)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Work as that process does inside the `with`; torch keeps its threads."""
        os.environ.update(self.variables)
        torch.set_num_threads(self.threads)
        with ExitStack() as stack:
            stack.enter_context(threadpool_limits(self.algebra, user_api="blas"))
            if self.svg:
                stack.enter_context(svg_figures())
            yield


@dataclass(frozen=True)
class _Call:
    """What the calls of a function share."""

    function: Callable[[Any, Any, TrainingProgress], Any]
    shared: Any
    process: _Process | None  # to work like; None = it is this one


def _call(call: _Call, task: Any, send: Send) -> Any:
    if call.process is None:
        return call.function(call.shared, task, _SentProgress(send, steps=True))
    with call.process.applied():
        return call.function(call.shared, task, _SentProgress(send, steps=False))


class _SentProgress:
    """A TrainingProgress that sends what it receives, as name of the method and arguments."""

    def __init__(self, send: Send, *, steps: bool) -> None:
        self.send = send
        self.steps = steps

    def start(self, title: str, epochs: int) -> None:
        """Send."""
        self.send(("start", (title, epochs), {}))

    def step(self, done: int, steps: int) -> None:
        """Send where steps are wanted."""
        if self.steps:
            self.send(("step", (done, steps), {}))

    def epoch(self, row: EpochRow, *, best: bool) -> None:
        """Send."""
        self.send(("epoch", (row,), {"best": best}))

    def note(self, line: str) -> None:
        """Send."""
        self.send(("note", (line,), {}))

    def trained(self, done: int, of: int) -> None:
        """Send."""
        self.send(("trained", (done, of), {}))


def _replayed(progress: TrainingProgress, names: Sequence[str]) -> Receive:
    """A receiver that gives events on as they came, after the name of each task."""
    named: set[int] = set()

    def receive(index: int, event: Event) -> None:
        if index not in named:
            named.add(index)
            progress.note(names[index])
        _replay(progress, event)

    return receive


def _prefixed(progress: TrainingProgress, names: Sequence[str]) -> Receive:
    """A receiver that gives events on as lines with the name of their task."""
    receivers = [_NamedLines(progress, name) for name in names]
    return lambda index, event: _replay(receivers[index], event)


def _replay(progress: TrainingProgress, event: Event) -> None:
    method, arguments, named = event
    getattr(progress, method)(*arguments, **named)


class _NamedLines(NoProgress):
    """The progress of one of several trainings at the same time: lines with its name."""

    def __init__(self, progress: TrainingProgress, name: str) -> None:
        self.progress = progress
        self.name = name

    def start(self, title: str, epochs: int) -> None:
        """Name the training."""
        self.note(f"{title}: up to {epochs} epochs")

    def epoch(self, row: EpochRow, *, best: bool) -> None:
        """Give the epoch's line on."""
        self.note(describe_epoch(row, best=best))

    def note(self, line: str) -> None:
        """Give a line on."""
        self.progress.note(f"{self.name}: {line}")
