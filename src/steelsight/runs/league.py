"""The league of a run: explanation methods compared against masks, with a report."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from steelsight.explanations.benchmark.numbers import league_json
from steelsight.explanations.benchmark.report import Published, league_figure, write_league
from steelsight.explanations.benchmark.run import League, LeagueProgress, run_league
from steelsight.explanations.benchmark.settings import LeagueRecipe, load_league_recipe
from steelsight.files import add_files, keep_earlier, write_json
from steelsight.reports.document import Document
from steelsight.reports.figures.style import save_figure, svg_wanted
from steelsight.runs.benchmark_data import BenchmarkData, open_benchmark
from steelsight.runs.class_examples import picture_classes
from steelsight.runs.options import LeagueOptions
from steelsight.runs.settings import result_settings
from steelsight.version import __version__

__all__ = ["LeagueReport", "compare_explanations", "write_page"]

REPORT, NUMBERS = "report.html", "league.json"
KEPT = "methods"  # folder of the results of finished methods


@dataclass(frozen=True)
class LeagueReport:
    """A league that was written to a folder."""

    folder: Path
    league: League
    numbers: dict[str, Any]  # of league.json

    @property
    def page(self) -> Path:
        """The report."""
        return self.folder / REPORT


def compare_explanations(
    run: Path,
    data: Path,
    options: LeagueOptions,
    published: Callable[[str], Published],
    *,
    out: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
    note: Callable[[str], None] = lambda _: None,
) -> LeagueReport:
    """Compare explanation methods on sheets with masks, and write page, numbers and figure.

    The results of finished methods are kept in the folder's `methods`: after an interruption the same call
    continues, and later leagues of the same models, sheets and settings use them.

    run        RUN folder, or a folder of a cross-validation, whose folds are pooled
    published  from a task to the published figures that are shown beside
    out        folder to write; None = RUN/league-SPLIT
    say, note  called with each step, and with what should stay on the screen
    raises     BadRecipe for a method, part or key that does not exist; BadData where no sheet has a mask, and
               where the folder to choose on shares images with DATA
    """
    recipe = load_league_recipe(options.setting)
    folder = out if out is not None else run / f"league-{options.split}"
    benchmark = open_benchmark(
        run,
        data,
        options,
        part=options.split,
        choose_on=options.choose_on,
        share=recipe.choice.share,
        limit=options.limit,
        seed=options.seed,
    )
    first = benchmark.runs[0]
    league = run_league(
        benchmark.cases,
        recipe,
        task=first.card.task,
        methods=options.methods,
        class_names=first.card.class_names,
        seed=options.seed,
        notes=benchmark.notes,
        progress=LeagueProgress(say, note, folder / KEPT, options.fresh),
    )
    other = benchmark.choosing[0].data if benchmark.choosing else None
    if other is not None:
        league = replace(league, chosen_on=other.name)
    known = published(first.card.task)
    numbers: dict[str, Any] = {
        "run": str(run),
        "data": first.data.name,
        "groups": first.data.grouping,
        "reading": first.data.reading,
        "split": options.split,
        "chosen_on": None if other is None else {"data": other.name, "data_hash": other.data_hash},
        "mask_supervised": any(each.card.mask_supervised for each in benchmark.runs),
        "seed": options.seed,
        "recipe": recipe.model_dump(mode="json"),
        **league_json(league, known),
    }
    settings = result_settings(
        "league",
        replace(options, fresh=False, choose_on=None),
        cards=[each.card for each in benchmark.runs],
        data_hash=first.data.data_hash,
        chosen_on=numbers["chosen_on"],
        recipe=recipe.model_dump(mode="json"),
    )
    numbers |= keep_earlier(folder, NUMBERS, settings, [REPORT, "report.json", "figures/league.png"])
    say("drawing")
    page = folder / REPORT
    drawn = write_page(page, league, benchmark, recipe, known, split=options.split, seed=options.seed)
    add_files(numbers, drawn)
    write_json(folder / NUMBERS, numbers)
    return LeagueReport(folder, league, numbers)


def write_page(
    path: Path,
    league: League,
    benchmark: BenchmarkData,
    recipe: LeagueRecipe,
    published: Published,
    *,
    split: str,
    seed: int,
) -> list[str]:
    """Write the report as `path` (HTML, JSON beside it) and the figure as figures/league.png.

    returns  names of SVG files, where they are written
    """
    run = benchmark.runs[0]
    folds = f", {len(benchmark.runs)} folds" if len(benchmark.runs) > 1 else ""
    document = Document(
        "Which explanation finds the defect",
        subtitle=f"{run.card.model.name} on {run.data.name}, {split} sheets{folds}",
    )
    write_league(document, league, benchmark.cases, published=published)
    figure, words = picture_classes(benchmark.runs, split)
    document.chapter("Grad-CAM by class", id="league-classes")
    document.figure(
        figure, id="class-examples", alt=words, caption=f"{words} The most confident correct predictions."
    )
    document.footer(
        {
            "Steelsight": __version__,
            "PyTorch": str(torch.__version__),
            "Machine": f"{platform.system()} {platform.machine()}",
            "Threads": torch.get_num_threads(),
            "Seed": seed,
            "Data": run.data.name,
            "Data hash": run.data.data_hash,
            "Groups": run.data.grouping,
            "Read as": run.data.reading,
            "Taught by masks": any(opened.card.mask_supervised for opened in benchmark.runs),
            "Blur and sign": f"{recipe.study.sigma:g} px, {recipe.study.sign}",
        }
    )
    save_figure(league_figure(league, published), path.parent / "figures" / "league.png")
    document.save(path)
    return [*document.figure_files(), *(["figures/league.svg"] if svg_wanted() else [])]
