"""Every disturbance is drawn once: noise for all models, camera corruptions for the chosen one."""

from steelsight.evaluation.robustness.corruptions import CORRUPTIONS
from steelsight.evaluation.robustness.sweeps import SweepPoint
from steelsight.reports.document import Document
from steelsight.study.chapters.trust import write_robustness
from steelsight.study.measures.robustness import NOISES, Robustness
from steelsight.types import Interval


def _points(last: float) -> tuple[SweepPoint, ...]:
    accuracies = (0.9, (0.9 + last) / 2, last)
    return tuple(
        SweepPoint(float(level), Interval(accuracy, accuracy - 0.1, accuracy + 0.1), accuracy)
        for level, accuracy in enumerate(accuracies)
    )


def test_each_corruption_has_a_figure_and_a_row():
    ends = {kind: 0.2 + 0.05 * number for number, kind in enumerate(CORRUPTIONS)}
    corruptions = {kind: _points(end) for kind, end in ends.items()}
    document = Document("Robustness")
    robustness = Robustness(
        sheets=10,
        chosen="Small",
        by_model={kind: {"Small": _points(0.5), "Large": _points(0.4)} for kind in NOISES},
        corruptions=corruptions,
    )
    assert write_robustness(document, robustness) == {}
    blocks = document.chapters[-1].blocks
    figures = [block for block in blocks if block.kind == "figure"]
    kinds = dict.fromkeys([*NOISES, *CORRUPTIONS])
    assert [block.id for block in figures] == [f"robustness-{kind.replace('_', '-')}" for kind in kinds]
    alts = {block.id: block.alt for block in figures}
    for kind, end in ends.items():
        alt = alts[f"robustness-{kind.replace('_', '-')}"]
        assert (f"Small 0.90 → {end:.2f}" in alt) == (kind not in NOISES)
    assert "Large 0.90 → 0.40" in alts["robustness-study-noise"]
    (table,) = [block for block in blocks if block.kind == "table"]
    assert [row[0].value for row in table.rows] == [corruption.title for corruption in CORRUPTIONS.values()]


def test_without_models_nothing_is_drawn():
    document = Document("Robustness")
    assert write_robustness(document, None) == {}
    assert not any(block.kind == "figure" for block in document.chapters[-1].blocks)
