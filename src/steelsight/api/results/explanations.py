"""Results of explanations: maps as arrays, figures on disk, wrong verdicts, and the ranking of methods."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jaxtyping import Float, Float32, Int

from steelsight.api.results.reported import ReportedResult
from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult, ResultTable
from steelsight.types import GrayBatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from steelsight.explanations.benchmark.report import Published
    from steelsight.runs.league import LeagueReport

__all__ = ["ExplanationFiles", "ExplanationResult", "MethodRanking", "MistakesResult"]

DRAWN: Final = 6  # images of a figure


@dataclass(frozen=True, eq=False, repr=False)
class ExplanationResult(NotebookResult):
    """One signed map an image, of the class that it explains."""

    images: GrayBatch  # (n, h, w) uint8, as the maps lie over them
    maps: Float32[np.ndarray, "n h w"]  # positive speaks for the class, negative against it; unscaled
    targets: Int[np.ndarray, " n"]  # class index
    logits: Float[np.ndarray, "n c"]
    probabilities: Float[np.ndarray, "n c"] | None  # None for a torch module, whose outputs are unknown
    class_names: tuple[str, ...]
    method: str
    names: tuple[str, ...]  # of the images

    @property
    def title(self) -> str:
        """Method and number of images."""
        return f"{self.method} of {len(self.maps)} images"

    def as_dict(self) -> dict[str, Any]:
        """Verdicts and targets, and the range of each map; the maps themselves are `maps`."""
        values: dict[str, Any] = plain(
            {
                "method": self.method,
                "class_names": self.class_names,
                "images": [dict(zip(self.table().titles, row, strict=True)) for row in self.table().rows],
            }
        )
        return values

    def table(self) -> ResultTable:
        """One row an image: the explained class, the verdict, and the range of the map."""
        verdicts = self.logits.argmax(axis=1)
        rows = tuple(
            (
                name,
                self.class_names[target],
                self.class_names[verdict],
                float(self.logits[row, target]),
                None if self.probabilities is None else float(self.probabilities[row, target]),
                float(self.maps[row].min()),
                float(self.maps[row].max()),
            )
            for row, (name, target, verdict) in enumerate(
                zip(self.names, self.targets.tolist(), verdicts.tolist(), strict=True)
            )
        )
        return ResultTable(
            ("image", "explains", "verdict", "logit", "probability", "lowest", "highest"), rows
        )

    def figures(self) -> dict[str, Figure]:
        """`maps`: the first images with their maps; red supports the class, blue speaks against it."""
        from steelsight.reports.figures import ExplanationRow, draw_explanations

        rows = [
            ExplanationRow(self.images[row], None, name, [self.maps[row]], [self.class_names[target]])
            for row, (name, target) in enumerate(
                zip(self.names[:DRAWN], self.targets.tolist()[:DRAWN], strict=True)
            )
        ]
        return {"maps": draw_explanations(rows)} if rows else {}


@dataclass(frozen=True, eq=False, repr=False)
class ExplanationFiles(NotebookResult):
    """Figures of explanations that were written to a folder."""

    report: dict[str, Any]  # explanations.json

    @property
    def folder(self) -> Path:
        """Where the figures are."""
        return Path(self.report["out"])

    @property
    def title(self) -> str:
        """Method and number of figures."""
        return f"{self.report['method']} of {len(self.report['sheets'])} images, in {self.folder}"

    @property
    def figure_files(self) -> tuple[Path, ...]:
        """One picture an image."""
        return tuple(Path(row["figure"]) for row in self.report["sheets"])

    def as_dict(self) -> dict[str, Any]:
        """The content of explanations.json."""
        values: dict[str, Any] = plain(self.report)
        return values

    def table(self) -> ResultTable:
        """One row an image: verdict, confidence, true class and figure."""
        keys = ("image", "verdict", "confidence", "truth", "figure")
        return ResultTable(keys, tuple(tuple(row[key] for key in keys) for row in self.report["sheets"]))


@dataclass(frozen=True, eq=False, repr=False)
class MistakesResult(NotebookResult):
    """The wrong verdicts of a run, the most confident first."""

    report: dict[str, Any]  # errors.json

    @property
    def page(self) -> Path:
        """The HTML page with the explained figures."""
        from steelsight.runs.explain import ERRORS_PAGE

        return Path(self.report["out"]) / ERRORS_PAGE

    @property
    def title(self) -> str:
        """How many, of how many sheets."""
        count = len(self.report["mistakes"])
        return f"{count} wrong verdict{'s' * (count != 1)} on {self.report['sheets']} sheets"

    def as_dict(self) -> dict[str, Any]:
        """The content of errors.json."""
        values: dict[str, Any] = plain(self.report)
        return values

    def table(self) -> ResultTable:
        """One row a wrong verdict."""
        keys = ("image", "kind", "verdict", "confidence", "truth")
        return ResultTable(keys, tuple(tuple(row[key] for key in keys) for row in self.report["mistakes"]))


@dataclass(frozen=True, eq=False, repr=False)
class MethodRanking(ReportedResult):
    """Explanation methods compared against masks; as_dict is league.json."""

    report: LeagueReport  # all of it; its fields are not part of the API's promise
    published: Callable[[str], Published]

    @property
    def title(self) -> str:
        """What the comparison recommends."""
        return self.recommendation

    @property
    def recommendation(self) -> str:
        """The recommended method and rule, in words; none where no method is better than a constant mask."""
        from steelsight.explanations.benchmark.report import recommendation

        return recommendation(self.report.league)

    def table(self) -> ResultTable:
        """One row a method: overlap with the masks by the study's rule and by its own, and its time."""
        league = self.report.league
        rows = []
        for key, result in league.results.items():
            study = league.intervals(result.scores["study"])
            own = league.intervals(result.scores["chosen"])["dice"]
            overlap = (study[name] for name in ("recall", "precision", "iou", "dice"))
            rows.append((key, result.candidate.title, *overlap, own, result.time_ms))
        titles = ("method", "title", "recall", "precision", "IoU", "Dice", "Dice, own rule", "ms")
        return ResultTable(titles, tuple(rows))

    def figures(self) -> dict[str, Figure]:
        """`dice`: the Dice of every method by each rule, with intervals."""
        from steelsight.explanations.benchmark.report import league_figure

        return {"dice": league_figure(self.report.league, self.published(self.report.league.task))}
