"""The league of the study's chosen model: run once, told in the chapters and judged in the claims."""

from __future__ import annotations

from dataclasses import dataclass

from steelsight.explanations.benchmark.methods import CANDIDATES
from steelsight.explanations.benchmark.results import EvaluationCase
from steelsight.explanations.benchmark.run import League, run_league
from steelsight.explanations.benchmark.settings import load_league_recipe
from steelsight.runs.open import OpenRun, make_case
from steelsight.streams import stream
from steelsight.study.options import StudyOptions

__all__ = ["LeagueResult", "judge_explanations"]

FEW = 10  # sheets: with fewer, speed matters more than steady figures
QUICK = ("report.repeats=1", "checks.sheets=1", "checks.steps=5", "checks.draws=1", "checks.stages=1")


@dataclass(frozen=True)
class LeagueResult:
    """A league and the model and sheets it was run on."""

    league: League
    cases: tuple[EvaluationCase, ...]


def judge_explanations(run: OpenRun, options: StudyOptions) -> LeagueResult | None:
    """The study's methods on the test sheets that have masks; None where none has."""
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
