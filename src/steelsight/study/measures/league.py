"""Comparison of the study's explanation methods on the chosen model, against annotated masks."""

from __future__ import annotations

from steelsight.explanations.benchmark.methods import CANDIDATES
from steelsight.explanations.benchmark.run import run_league
from steelsight.explanations.benchmark.settings import load_league_recipe
from steelsight.runs.benchmark_data import make_case
from steelsight.runs.opening.open import OpenRun
from steelsight.streams import stream
from steelsight.study.options import StudyOptions
from steelsight.study.results import LeagueResult

__all__ = ["compare_explanations"]

FEW = 10  # with fewer sheets the quick settings are used: speed matters more than stable figures
QUICK = ("report.repeats=1", "checks.sheets=1", "checks.steps=5", "checks.draws=1", "checks.stages=1")


def compare_explanations(run: OpenRun, options: StudyOptions) -> LeagueResult | None:
    """Compare the study's methods on the test sheets that have masks; None where none has."""
    notes: dict[str, None] = {}
    rng = stream(options.seed, "study-league")
    case = make_case(run, "test", limit=options.explained, rng=rng, notes=notes)
    if not len(case.evaluation.images):
        return None
    settings = [f"report.resamples={options.resamples}", *(QUICK if options.explained < FEW else ())]
    recipe = load_league_recipe(settings)
    methods = [name for name, candidate in CANDIDATES.items() if candidate.published]
    league = run_league(
        [case],
        recipe,
        task=run.card.task,
        methods=methods,
        class_names=run.card.class_names,
        seed=options.seed,
        notes=tuple(notes),
    )
    return LeagueResult(league, (case,))
