"""Wrong verdicts: kinds, order and figures."""

import numpy as np
import pytest

from steelsight.explanations.mistakes import Mistake, find_mistakes, write_mistakes
from steelsight.reports.document import Document
from steelsight.reports.figures.explanation.panels import ExplanationRow


def test_single_verdicts() -> None:
    probabilities = np.array(
        [
            [0.9, 0.1, 0.0],  # right
            [0.4, 0.6, 0.0],  # good, called 1
            [0.8, 0.1, 0.1],  # 1, called good
            [0.1, 0.2, 0.7],  # 1, called 2
            [0.1, 0.2, 0.7],  # 1 and 2: right
            [0.05, 0.95, 0.0],  # good, called 1, more surely
        ]
    )
    truths = [(0,), (0,), (1,), (1,), (1, 2), (0,)]
    found = find_mistakes(probabilities, truths, "multiclass")
    assert [(each.row, each.kind) for each in found] == [
        (5, "false positive"),
        (2, "false negative"),
        (3, "wrong type"),
        (1, "false positive"),
    ]
    assert found[0].confidence == pytest.approx(0.95)
    assert found[0].verdict == (1,)


def test_types_of_a_multilabel_model() -> None:
    probabilities = np.array([[0.9, 0.7], [0.2, 0.1], [0.2, 0.4], [0.6, 0.1], [0.9, 0.1]])
    truths = [(), (), (0,), (0, 1), (0,)]
    found = find_mistakes(probabilities, truths, "multilabel")
    kinds = {each.row: (each.kind, each.verdict, pytest.approx(each.confidence)) for each in found}
    assert kinds == {
        0: ("false positive", (0, 1), 0.7),
        2: ("false negative", (), 0.6),
        3: ("wrong type", (0,), 0.6),
    }


def test_the_page_counts_all_mistakes_and_draws_the_most_confident(rng: np.random.Generator) -> None:
    mistakes = [Mistake(row, "false positive", 0.9 - row / 10, (1,), (0,)) for row in range(3)]
    gray = rng.integers(0, 256, (16, 24), dtype=np.uint8)
    rows = {0: ExplanationRow(gray, None, "a<b>.jpg  defect 0.90", [], [])}
    document = Document("Errors")
    write_mistakes(document, mistakes, rows, sheets=40, most=1)
    page = document.render()
    assert "False positives: 3" in page
    assert "False negatives: 0" in page
    assert "Wrong types" not in page
    assert "the 1 surest are shown" in page
    assert "a&lt;b&gt;.jpg" in page
    figures = [block for block in document.chapters[0].blocks if block.as_dict()["kind"] == "figure"]
    assert len(figures) == 1
