"""`steelsight compare RUN RUN… --data DATA`: who is better, and whether that is more than luck."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import AllowBadOption, GroupsOption, JsonFlag, console, emit_json
from steelsight.errors import BadInput

__all__ = ["compare"]


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="RUN folders, or folders of `train --folds`; the others are compared with the first.",
            metavar="RUN",
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            help="DATA folder whose sheets judge; not for cross-validations, which bring their answers.",
            metavar="DATA",
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(help="unseen by all runs; or test, validation, train in all of them.")
    ] = "unseen",
    noise: Annotated[float, typer.Option(min=0, help="Judge on X + sigma Z; the study's is 0.15.")] = 0.0,
    shares: Annotated[
        str | None,
        typer.Option(
            help="Class shares the sheets of DATA are weighted to: 'study', or numbers as .6,.1,.3."
        ),
    ] = None,
    groups: GroupsOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Where compare.html and compare.json go.", metavar="DIR")
    ] = None,
    allow_bad: AllowBadOption = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of noise and of the bootstrap.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Compare trained models on sheets none of them has seen: paired intervals and McNemar's test."""
    from steelsight.plain import plain
    from steelsight.reports.cells import cell_text
    from steelsight.runs.compare import METRICS, compare_folds, compare_runs
    from steelsight.runs.out_of_fold import is_cross_validation
    from steelsight.sheets.options import DataOptions

    folded = [is_cross_validation(run) for run in runs]
    if any(folded) and not all(folded):
        raise BadInput(
            "compare: expected runs alone or cross-validations alone, got both; compare like with like"
        )
    if data is None and not all(folded):
        raise BadInput("--data: expected the DATA folder whose sheets judge, got none")
    if data is None and shares is not None:
        raise BadInput("--shares: expected with --data; cross-validations are compared as they answered")
    with console.status("comparing"):
        if data is None:
            found = compare_folds(runs, seed=seed, out=out)
        else:
            found = compare_runs(
                runs,
                data,
                DataOptions(groups, allow_bad),
                part=split,
                noise_sigma=noise,
                shares=None if shares is None else _shares(shares),
                seed=seed,
                out=out,
            )
    for each in found:
        console.print(each.name, markup=False)
        for metric, title in METRICS.items():
            line = f"  {title:<18} {cell_text(each.metrics[metric])}"
            if metric in each.against_first:
                line += f"   against the first {cell_text(each.against_first[metric].difference)}"
            console.print(line, markup=False)
        if each.mcnemar is not None:
            console.print(f"  McNemar p = {each.mcnemar.p_value:.3g}", markup=False)
    if out is not None:
        console.print(f"report: {out / 'compare.html'}", markup=False, soft_wrap=True)
    if as_json:
        emit_json({"runs": plain([asdict(each) for each in found])})


def _shares(text: str) -> tuple[float, ...]:
    from steelsight.sheets.synthetic import STUDY_SHARES

    if text == "study":
        return STUDY_SHARES
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise BadInput(f"--shares: expected 'study' or numbers joined by commas, got {text!r}") from None
