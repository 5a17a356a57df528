"""Compares runs on a DATA folder, or cross-validations by their own predictions, whichever is given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from steelsight.errors import BadInput
from steelsight.runs.compare import RunComparison, compare_folds, compare_runs
from steelsight.runs.options import CompareOptions
from steelsight.runs.out_of_fold import is_cross_validation
from steelsight.sheets.options import DataOptions

__all__ = ["compare_models"]


def compare_models(
    runs: Sequence[Path], options: CompareOptions, sheets: DataOptions, *, out: Path | None = None
) -> list[RunComparison]:
    """Compare each run with the first.

    out     folder for compare.html and compare.json; None = nothing is written
    raises  BadInput for runs and cross-validations together, missing DATA, or as `compare_runs`
    """
    folded = [is_cross_validation(run) for run in runs]
    if any(folded) and not all(folded):
        raise BadInput(
            "compare: expected runs alone or cross-validations alone, got both; compare like with like"
        )
    if options.data is None:
        if not all(folded):
            raise BadInput("--data: expected the DATA folder whose sheets judge, got none")
        if options.shares is not None:
            raise BadInput("--shares: expected with --data; cross-validations are compared as they answered")
        return compare_folds(runs, seed=options.seed, out=out)
    return compare_runs(
        runs,
        options.data,
        sheets,
        part=options.split,
        noise_sigma=options.noise,
        shares=None if options.shares is None else _shares(options.shares),
        seed=options.seed,
        out=out,
    )


def _shares(text: str) -> tuple[float, ...]:
    from steelsight.sheets.synthetic import STUDY_SHARES  # needs the extra `synth`

    if text == "study":
        return STUDY_SHARES
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise BadInput(f"--shares: expected 'study' or numbers joined by commas, got {text!r}") from None
