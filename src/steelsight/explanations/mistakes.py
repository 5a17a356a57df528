"""The wrong verdicts of a model, most confident first, as a report with explanation maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from jaxtyping import Float

from steelsight.evaluation.abstention.thresholds import present_types
from steelsight.reports.document import Document
from steelsight.reports.figures.explanation.panels import ExplanationRow, draw_explanations
from steelsight.types import Probabilities, Task

__all__ = ["KINDS", "Mistake", "MistakeKind", "find_mistakes", "write_mistakes"]

MistakeKind = Literal["false positive", "false negative", "wrong type"]

KINDS: dict[MistakeKind, str] = {
    "false positive": "Sheets without a defect that were called defective",
    "false negative": "Defective sheets that were called good",
    "wrong type": "Defective sheets that were given another type",
}


@dataclass(frozen=True)
class Mistake:
    """One wrong verdict."""

    row: int
    kind: MistakeKind
    confidence: float  # the model's probability of its verdict
    verdict: tuple[int, ...]  # outputs; () = none, in multilabel work
    truth: tuple[int, ...]


def find_mistakes(
    probabilities: Probabilities, truths: Sequence[tuple[int, ...]], task: Task, clean: int | None = 0
) -> list[Mistake]:
    """Every wrong verdict, most confident first.

    truths  every right answer of each sheet as outputs; single-label tasks: any of several types is right
    clean   the output for defect-free sheets; None = no output is for them
    """
    judge = _judge_types if task == "multilabel" else partial(_judge_class, clean)
    found = [judge(row, p, truth) for row, (p, truth) in enumerate(zip(probabilities, truths, strict=True))]
    mistakes = [mistake for mistake in found if mistake is not None]
    return sorted(mistakes, key=lambda mistake: (-mistake.confidence, mistake.row))


def write_mistakes(
    document: Document,
    mistakes: Sequence[Mistake],
    rows: dict[int, ExplanationRow],
    *,
    sheets: int,
    most: int,
    with_clean: bool = True,
) -> None:
    """Write one chapter for each kind and one figure for each sheet.

    rows    figures by the mistake's row, at most `most` of each kind
    sheets  number of sheets classified
    most    number of sheets drawn of each kind
    with_clean  whether the model can call a sheet defect-free; otherwise only types are confused
    """
    for kind, words in KINDS.items():
        some = [mistake for mistake in mistakes if mistake.kind == kind]
        wanted = kind == "wrong type" if not with_clean else kind != "wrong type"
        if not some and not wanted:
            continue
        document.chapter(f"{kind.capitalize()}s: {len(some)}", id=kind.replace(" ", "-") + "s")
        left = f"; the {most} surest are shown" if len(some) > most else ""
        document.text(f"{words}: {len(some)} of {sheets} sheets, the surest first{left}.")
        for mistake in some:
            if mistake.row in rows:
                row = rows[mistake.row]
                document.figure(draw_explanations([row]), alt=row.title, id=f"sheet-{mistake.row}")


def _judge_class(
    clean: int | None, row: int, probabilities: Float[np.ndarray, " c"], truth: tuple[int, ...]
) -> Mistake | None:
    verdict = int(probabilities.argmax())
    if verdict in truth:
        return None
    kind: MistakeKind = "wrong type"
    if clean in truth:
        kind = "false positive"
    elif verdict == clean:
        kind = "false negative"
    return Mistake(row, kind, float(probabilities[verdict]), (verdict,), truth)


def _judge_types(row: int, probabilities: Float[np.ndarray, " c"], truth: tuple[int, ...]) -> Mistake | None:
    verdict = tuple(np.flatnonzero(present_types(probabilities[None])[0]).tolist())
    if set(verdict) == set(truth):
        return None
    sure = float(probabilities[list(verdict)].min()) if verdict else 1 - float(probabilities.max())
    kind: MistakeKind = "wrong type"
    if not truth:
        kind = "false positive"
    elif not verdict:
        kind = "false negative"
    return Mistake(row, kind, sure, verdict, truth)
