"""All verbs, in the order of `steelsight --help`: for whom each is, what it does, and where it is.

The help of the program is made from this table alone; the module of a verb is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand

from steelsight.cli.verb import Verb

__all__ = ["LAB", "PLANT", "STUDY", "TRUST", "VERBS", "LazyVerbs", "VerbEntry"]

PLANT: Final = "Plant: sheets at the line"
LAB: Final = "Lab: data, models, figures"
TRUST: Final = "Trust: reasons, certificates, release, records"
STUDY: Final = "Study: the published study"


@dataclass(frozen=True, slots=True)
class VerbEntry:
    """A verb, or a group of verbs, of the command line."""

    name: str
    module: str  # below steelsight.cli; it holds a function or a typer.Typer named as the verb
    summary: str  # first paragraph of its help
    panel: str  # heading in the help of the program

    def brief(self) -> TyperCommand:
        """A command with name and summary alone, for lists of verbs; nothing is imported."""
        return TyperCommand(self.name, help=self.summary, rich_help_panel=self.panel)

    def load(self) -> Any:
        """The command itself, with its options; its module is imported."""
        found = getattr(import_module(f"steelsight.cli.{self.module}"), self.name.replace("-", "_"))
        holder = typer.Typer(add_completion=False, callback=_no_options)
        if isinstance(found, typer.Typer):
            holder.add_typer(found, rich_help_panel=self.panel)
        else:
            holder.command(self.name, cls=Verb, rich_help_panel=self.panel)(found)
        group: Any = typer.main.get_command(holder)
        return group.commands[self.name]


def _no_options() -> None:
    """Keep Typer from merging a group of one verb into that verb."""


class LazyVerbs(Mapping[str, Any]):
    """The commands of all verbs by their names; each is loaded when it is first taken."""

    def __init__(self, entries: tuple[VerbEntry, ...]) -> None:
        self._entries = {entry.name: entry for entry in entries}
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = self._entries[name].load()
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def brief(self, name: str) -> TyperCommand | None:
        """The command with its name and summary alone; None where there is none of that name."""
        entry = self._entries.get(name)
        return None if entry is None else entry.brief()


VERBS: Final = (
    VerbEntry(
        "demo",
        "plant.demo",
        "Scan generated sheets, or your own, with a bundle of the package, and write a report.",
        PLANT,
    ),
    VerbEntry(
        "scan",
        "plant.scan",
        "Scan sheets: verdicts as Parquet, unusable files with reasons, a report sorted by uncertainty.",
        PLANT,
    ),
    VerbEntry(
        "bench",
        "plant.bench",
        "Measure decoding, inference, latency and whole scans, and the number of cameras that follows.",
        PLANT,
    ),
    VerbEntry(
        "line",
        "service.line",
        "Judge every sheet that arrives and write it into the ledger, once, until Ctrl-C.",
        PLANT,
    ),
    VerbEntry(
        "serve",
        "service.serve",
        "Serve the HTTP API until Ctrl-C or SIGTERM; with --watch, judge what arrives in a folder too.",
        PLANT,
    ),
    VerbEntry(
        "console",
        "service.console",
        "Show the console on a generated coil that runs live, until Ctrl-C.",
        PLANT,
    ),
    VerbEntry("coil", "service.coil", "Look at the coils of a ledger.", PLANT),
    VerbEntry("user", "service.user", "Accounts of people and tokens of machines.", PLANT),
    VerbEntry(
        "synth",
        "data.synth",
        "Draw synthetic steel sheets: images, masks, and the truth about stains, ends and light.",
        LAB,
    ),
    VerbEntry("data", "data.data", "Describe and check a folder of sheets.", LAB),
    VerbEntry(
        "train",
        "lab.train",
        "Train a model, test it on sheets that were not used in training, and write everything to RUN.",
        LAB,
    ),
    VerbEntry(
        "evaluate",
        "lab.evaluate",
        "Evaluate a model on sheets not used in training: metrics with intervals, figures, predictions.",
        LAB,
    ),
    VerbEntry(
        "compare",
        "lab.compare",
        "Compare trained models on sheets that none was trained on: paired intervals and McNemar's test.",
        LAB,
    ),
    VerbEntry(
        "robustness",
        "lab.robustness",
        "Sweep noise, blur, exposure, compression, dead columns and vibration, and draw the curves.",
        LAB,
    ),
    VerbEntry(
        "label-curve",
        "lab.label_curve",
        "Train on growing shares of the labels, and extrapolate to twice as many.",
        LAB,
    ),
    VerbEntry(
        "adapt",
        "plant.adapt",
        "Fit a new head to labelled sheets, and write it into the bundle's graph where it is better.",
        LAB,
    ),
    VerbEntry(
        "export",
        "plant.export",
        "Write a bundle: one graph that classifies and explains, verified against the model it came from.",
        LAB,
    ),
    VerbEntry("runs", "lab.runs", "List, show and remove RUN folders.", LAB),
    VerbEntry(
        "models",
        "lab.models",
        "List the networks layer by layer: output shape, parameters, multiply-accumulates per image.",
        LAB,
    ),
    VerbEntry(
        "recipes",
        "lab.recipes",
        "Print a shipped recipe as a template for your own TOML file, or list the recipes.",
        LAB,
    ),
    VerbEntry(
        "explain",
        "explain.explain",
        "Draw what a model's verdict is based on: red supports a class, blue speaks against it.",
        TRUST,
    ),
    VerbEntry(
        "league",
        "explain.league",
        "Rank explanation methods on sheets with masks, and recommend one with a rule for making masks.",
        TRUST,
    ),
    VerbEntry("inspect", "explain.inspect", "Look inside a trained network.", TRUST),
    VerbEntry(
        "shortcuts",
        "shortcuts.shortcuts",
        "Image content that a model uses instead of the defect.",
        TRUST,
    ),
    VerbEntry(
        "confidence",
        "lab.confidence",
        "Compare confidence scores: area under the risk-coverage curve, coverage at 99 and 95 % accuracy.",
        TRUST,
    ),
    VerbEntry(
        "calibrate",
        "lab.calibrate",
        "Fit the temperature and certify a threshold, on sheets that were not used in training.",
        TRUST,
    ),
    VerbEntry(
        "gate",
        "plant.gate",
        "Paste nuisances, compare upper bounds of flips with a policy, and record the outcome in the card.",
        TRUST,
    ),
    VerbEntry("bundle", "plant.bundle", "Verify, show and sign a bundle.", TRUST),
    VerbEntry("ledger", "service.ledger", "Keep and verify the ledger of verdicts and reviews.", TRUST),
    VerbEntry("reviews", "service.reviews", "Use the reviews of a ledger.", TRUST),
    VerbEntry(
        "quality",
        "service.quality",
        "Estimate escape and overkill from audit draws, with 95 % bounds.",
        TRUST,
    ),
    VerbEntry(
        "study",
        "study",
        "Repeat the study: train its models, and show its tables and figures beside the published ones.",
        STUDY,
    ),
)
