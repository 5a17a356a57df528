"""The contents are complete: the list below was read off the slides, by slide number."""

import pytest
from pydantic import ValidationError

from steelsight.study.claims.binary import CLAIMS
from steelsight.study.claims.multiclass import MULTICLASS_CLAIMS
from steelsight.study.contents import Item, PublishedTable, load_contents, load_published
from steelsight.study.run import CHAPTERS, MULTICLASS_CHAPTERS

# slide, heading of the slide, kind, number in the study's own count (0 = without caption)
ON_THE_SLIDES = [
    (5, "Dataset II", "figure", 1),
    (6, "Data Distribution", "figure", 2),
    (9, "Results", "table", 1),
    (10, "SqueezeNet I", "figure", 3),
    (11, "SqueezeNet II", "figure", 4),
    (13, "Layer Inspection: t-SNE", "figure", 0),
    (14, "Layer Inspection: Logistic Regression", "figure", 5),
    (16, "Neuron Inspection II", "figure", 0),
    (18, "Local Explanations: Qualitative comparison", "figure", 6),
    (19, "Local Explanations: Quantitative comparison I", "table", 2),
    (20, "Local Explanations: Quantitative comparison II", "figure", 7),
    (21, "Local Explanations: General applications", "figure", 8),
    (24, "White Stain Effect II", "figure", 0),
    (26, "White Stain Effect IV", "figure", 9),
    (27, "White Stain Effect V", "figure", 10),
    (31, "Data Augmentation I", "figure", 11),
    (32, "Data Augmentation II", "figure", 0),
    (33, "Results", "table", 3),
    (34, "Evaluation", "figure", 12),
    (36, "I don't know policy II", "figure", 13),
    (38, "Layer inspection: t-SNE", "figure", 14),
    (39, "Layer inspection: Logistic Regression", "figure", 15),
    (40, "Neuron Inspection I", "figure", 0),
    (41, "Neuron Inspection II", "figure", 16),
    (43, "Neuron Inspection IV", "figure", 17),
    (45, "Local Explanations: Semantic Segmentation I", "table", 4),
    (46, "Local Explanations: Semantic Segmentation I", "figure", 18),
    (47, "Local Explanations: GradCAM", "figure", 19),
    (48, "Local Explanations: Type II False Positive", "figure", 0),
    (49, "Local Explanations: Type II False Positive", "figure", 20),
    (51, "White-Stain Effect: episode II", "figure", 21),
    (53, "An Explainable Artificial Intelligence System", "figure", 0),
]
# Slides that claim something a measurement can decide.
CLAIMING_SLIDES = {
    4,
    6,
    9,
    10,
    14,
    16,
    18,
    19,
    22,
    23,
    26,
    27,
    29,
    30,
    32,
    33,
    35,
    37,
    41,
    42,
    45,
    48,
    50,
    52,
}

ITEMS = load_contents()


@pytest.mark.parametrize("entry", ON_THE_SLIDES, ids=lambda entry: f"slide {entry[0]} {entry[2]} {entry[3]}")
def test_every_table_and_figure_of_the_slides_is_listed(entry):
    assert entry in [(item.slide, item.title, item.kind, item.number) for item in ITEMS]


def test_only_tables_and_figures_of_the_slides_are_listed():
    listed = [(i.slide, i.title, i.kind, i.number) for i in ITEMS if i.kind != "claim"]
    assert sorted(listed) == sorted(ON_THE_SLIDES)


def test_tables_and_figures_are_numbered_consecutively():
    for kind in ("table", "figure"):
        numbers = [item.number for item in ITEMS if item.kind == kind and item.number]
        assert numbers == list(range(1, len(numbers) + 1))


def test_items_are_in_the_order_of_the_slides_with_unique_names():
    assert [item.slide for item in ITEMS] == sorted(item.slide for item in ITEMS)
    assert len({item.id for item in ITEMS}) == len(ITEMS)


def test_every_slide_with_a_claim_has_one_listed():
    assert {item.slide for item in ITEMS if item.kind == "claim"} >= CLAIMING_SLIDES


def test_exactly_the_claims_marked_as_done_are_tested():
    done = {item.id for item in ITEMS if item.kind == "claim" and item.status == "done"}
    assert done == set(CLAIMS) | set(MULTICLASS_CLAIMS)
    assert not set(CLAIMS) & set(MULTICLASS_CLAIMS)


def test_every_done_item_has_a_chapter_of_the_report():
    """Whether the chapter contains the item is tested on a whole report, in test_run.py."""
    done = {item.chapter for item in ITEMS if item.status == "done"}
    assert done <= set(CHAPTERS) | set(MULTICLASS_CHAPTERS)


@pytest.mark.parametrize(("status", "reason"), [("later", ""), ("not possible", ""), ("done", "because")])
def test_an_item_has_a_reason_only_if_it_is_not_done(status, reason):
    with pytest.raises(ValidationError, match="expected a reason unless it is done"):
        Item(id="x", slide=1, title="t", kind="table", what="w", chapter="c", status=status, reason=reason)


# Read off the slides once more, one column each; a wrong digit in published.toml fails here.
COLUMN_SUMS = {
    "binary": {"accuracy": 3.706, "f1": 3.724, "auc": 3.901, "time_ms": 214.2},
    "multiclass": {
        "accuracy": 5.398,
        "balanced_accuracy": 5.102,
        "f1": 5.406,
        "auc": 5.905,
        "time_ms": 398.0,
    },
    "binary_segmentation": {
        "recall": 3.492,
        "precision": 1.185,
        "iou": 0.766,
        "dice": 1.270,
        "time_ms": 1651.0,
    },
    "multiclass_segmentation": {
        "recall": 3.985,
        "precision": 1.552,
        "iou": 1.040,
        "dice": 1.659,
        "time_ms": 1703.0,
    },
}


@pytest.mark.parametrize("name", COLUMN_SUMS)
def test_published_figures_add_up(name):
    table = load_published()[name]
    for column, total in COLUMN_SUMS[name].items():
        assert sum(table.figure(row, column) for row in table.rows) == pytest.approx(total, abs=1e-9)


def test_published_figures_are_found_by_name():
    tables = load_published()
    assert set(tables) == set(COLUMN_SUMS)
    assert tables["binary"].figure("squeezenet_reduced", "auc") == 0.983
    assert tables["binary"].figure("unknown row", "auc") is None
    assert tables["multiclass"].figure("Aug. Red. Squeeze", "balanced_accuracy") == 0.904


def test_a_published_row_of_another_length_is_refused():
    with pytest.raises(ValidationError, match="x: expected 2 figures, got 1"):
        PublishedTable(source="s", columns=("a", "b"), note="", rows={"x": (1.0,)})
