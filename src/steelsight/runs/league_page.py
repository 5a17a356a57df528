"""The league's own report: its chapters, one Grad-CAM row a class, and where the numbers come from."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from steelsight.explanations.benchmark.report import Published, league_figure, write_league
from steelsight.explanations.benchmark.run import League
from steelsight.explanations.benchmark.settings import LeagueRecipe
from steelsight.reports.document import Document
from steelsight.reports.figures.style import save_figure
from steelsight.runs.class_examples import picture_classes
from steelsight.runs.open import BenchmarkData
from steelsight.version import __version__

__all__ = ["write_page"]


def write_page(
    path: Path,
    league: League,
    arena: BenchmarkData,
    recipe: LeagueRecipe,
    published: Published,
    *,
    split: str,
    seed: int,
) -> Path:
    """Write the report as `path` (HTML, JSON beside it) and the figure as figures/league.png."""
    run = arena.runs[0]
    folds = f", {len(arena.runs)} folds" if len(arena.runs) > 1 else ""
    document = Document(
        "Which explanation finds the defect",
        subtitle=f"{run.card.model.name} on {run.data.name}, {split} sheets{folds}",
    )
    write_league(document, league, arena.cases, published=published)
    figure, words = picture_classes(arena.runs, split)
    document.chapter("Grad-CAM by class", id="league-classes")
    document.figure(figure, id="class-examples", alt=words, caption=f"{words} The surest right verdicts.")
    document.footer(
        {
            "Steelsight": __version__,
            "PyTorch": str(torch.__version__),
            "Machine": f"{platform.system()} {platform.machine()}",
            "Threads": torch.get_num_threads(),
            "Seed": seed,
            "Data": run.data.name,
            "Data hash": run.data.data_hash,
            "Taught by masks": any(each.card.mask_supervised for each in arena.runs),
            "Blur and sign": f"{recipe.study.sigma:g} px, {recipe.study.sign}",
        }
    )
    save_figure(league_figure(league, published), path.parent / "figures" / "league.png")
    return document.save(path)
