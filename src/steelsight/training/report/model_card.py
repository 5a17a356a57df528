"""The model card of a RUN in Hugging Face's format: use, data, metrics, known failures, training.

Every figure comes from metrics.json; only the worst class and the worst confusion are determined here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from steelsight.evaluation.by_size import reliable_size
from steelsight.models.card import Card
from steelsight.models.catalog import find_model
from steelsight.reports.hub_card import hub_head
from steelsight.training.report.scores import HEADLINES

__all__ = ["CARD_README", "model_card"]

CARD_README = "README.md"
FEW = 10  # test sheets of a class: with fewer its metrics are unreliable
TASKS = {
    "binary": "whether a sheet has a defect",
    "multiclass": "which class a sheet has",
    "multilabel": "which defect types a sheet has, each yes or no",
}

_STARTS = {
    "imagenet": "ImageNet weights",
    "steel": "weights learnt on generated sheets",
    "run": "the weights of run",
    "none": "random weights",
}

Report = Mapping[str, Any]


def model_card(card: Card, metrics: Report, calibration: Report | None = None) -> str:
    """The card as Markdown with YAML front matter (JSON values, which YAML reads).

    metrics      metrics.json of the RUN
    calibration  calibration.json of the RUN; None = it was not calibrated
    """
    parts = [
        _front(card, metrics),
        _head(card),
        _uses(card),
        _data(metrics),
        _figures(metrics),
        _doubt(card, metrics, calibration),
        _failures(card, metrics),
        _training(card, metrics),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front(card: Card, metrics: Report) -> str:
    test = metrics.get("test") or {}
    figures = {key: test[key]["estimate"] for key in HEADLINES if key in test}
    return hub_head(
        f"{card.model.name} on {card.data_name}",
        tags=(card.model.name,),
        data_name=card.data_name,
        data_hash=card.data_hash,
        figures=figures | {"mean_auc": test.get("mean_auc")},
    )


def _head(card: Card) -> str:
    model, size = card.model, f"{card.input.height}x{card.input.width}"
    entry = find_model(model.name)
    start = _STARTS[model.pretrained]
    if card.history:
        last = card.history[-1]
        start += f" {_plain(str(last['run']))} on {_plain(str(last['data_name']))} ({last['head']} head)"
    head = "study head" if model.head == "study" else f"direct head, {model.pooling} pooling"
    patches = f", classified by {model.patches} patches" if model.patches > 1 else ""
    supervision = "classes and defect masks" if card.mask_supervised else "classes alone"
    warning = (
        "**A control trained on shuffled labels: its verdicts mean nothing.**\n\n" * card.shuffled_labels
    )
    return (
        f"# {entry.title} on {_plain(card.data_name)}\n\n{warning}"
        f"Predicts {TASKS[card.task]}: {', '.join(_plain(name) for name in card.class_names)}.\n\n"
        f"{entry.title}, {head}, trained from {start} by {supervision}. Input: gray sheets at {size} "
        f"({card.input.fit}){patches}."
    )


def _uses(card: Card) -> str:
    return (
        "## Use\n\n"
        "    steelsight evaluate RUN DATA      figures on sheets it has not seen\n"
        "    steelsight explain RUN IMAGE      where the evidence for its verdict lies\n"
        '    steelsight calibrate RUN DATA     when it should say "I don\'t know"\n\n'
        "For sheets of the line it was trained on, as support for a person who decides. It was not "
        f"trained on other cameras, materials or defects than those of {_plain(card.data_name)}, but "
        "predicts for any image."
    )


def _data(metrics: Report) -> str:
    data = metrics["data"]
    parts = ", ".join(f"{count} {part}" for part, count in data["parts"].items() if part)
    aside = len(data["set_aside"])
    leaks = metrics.get("leaks") or []
    words = f"## Data\n\n{_plain(data['name'])}, {data['sheets']} sheets: {parts}. Hash `{data['hash']}`."
    if aside:
        words += f" {aside} were set aside."
    if leaks:
        words += f" **{len(leaks)} groups lie in more than one part, so the figures are optimistic.**"
    return words


def _figures(metrics: Report) -> str:
    clean, noisy = metrics.get("test"), metrics.get("test_noisy")
    if not clean:
        return "## Figures\n\nThere are no test sheets."
    if "types" in clean:
        rows = [
            [name, report["sheets"], *(_interval(report[key]) for key in ("balanced_accuracy", "auc"))]
            for name, report in clean["types"].items()
        ]
        return _titled("Figures on test sheets", ["type", "sheets", "balanced accuracy", "AUC"], rows)
    both = [each for each in (clean, noisy) if each]
    heads = ["", "test sheets", f"at X + {metrics['noise_sigma']}Z"][: 1 + len(both)]
    rows = [
        [title, *(_interval(each[key]) for each in both)] for key, title in HEADLINES.items() if key in clean
    ]
    classes = [
        [c["name"], c["sheets"], *(_interval(c[key]) for key in ("precision", "recall", "auc"))]
        for c in clean["classes"]
    ]
    words = f"{clean['sheets']} test sheets in {clean['groups']} groups; 95 % intervals by group."
    return "\n\n".join(
        [
            _titled("Figures on test sheets", heads, rows),
            words,
            _table(["class", "sheets", "precision", "recall", "AUC"], classes),
        ]
    )


def _doubt(card: Card, metrics: Report, calibration: Report | None) -> str:
    test = metrics.get("test") or {}
    confidence = test.get("confidence")
    if not confidence and not calibration and card.threshold is None:
        return ""
    lines = []
    if confidence:
        lines += [
            f"* calibration error {_number(confidence['calibration_error'])}; area under its "
            f"risk-coverage curve (AURC) {_number(confidence['aurc'], 4)}, of a perfect order "
            f"{_number(confidence['aurc_perfect'], 4)}",
            f"* answered at 99 % selective accuracy {_interval(confidence['coverage_at_99'])}, at 95 % "
            f"{_interval(confidence['coverage_at_95'])} of the sheets",
        ]
    if card.temperature is not None:
        lines.append(f"* temperature {card.temperature:.3f}")
    if point := metrics.get("operating_point"):
        plain = "" if card.temperature is None else ", as trained, before the temperature"
        lines.append(
            f"* stopped from a probability of defect of {point['threshold']:.3f}{plain}: "
            f"{_interval(point['escape'])} of the defective sheets escape, {_interval(point['overkill'])} of "
            "the good ones are stopped" + _per_thousand(point)
        )
    return "## Doubt\n\n" + "\n".join([*lines, *_threshold(card, calibration)])


def _per_thousand(point: Report) -> str:
    """Of a thousand sheets on the line; "" for a run of an older version, which did not count them."""
    if "overkilled_per_1000" not in point:
        return ""
    return (
        f"; of 1,000 sheets with {point['prevalence']:.1%} defective, {point['escaped_per_1000']:.1f} "
        f"defective ones pass and {point['overkilled_per_1000']:.1f} good ones are stopped"
    )


def _threshold(card: Card, calibration: Report | None) -> list[str]:
    """The threshold of "I don't know", its certificate, and a certification that failed."""
    if card.threshold is None:
        lines = ["* no threshold is set: it always answers"]
    elif card.threshold == 1:
        lines = ['* it says "I don\'t know" of every sheet']
    else:
        lines = [f'* below a confidence of {card.threshold:g} it says "I don\'t know"']
    if calibration is None:
        return lines
    if calibration["coverage"] is not None:
        lines.append(
            f"* so it answers {_interval(calibration['coverage'])} of the {calibration['split']} sheets of "
            f"{_plain(calibration['data']['name'])}"
        )
    if calibration["promise"] is not None:
        lines.append(f"* threshold by {calibration['threshold_by']}: {calibration['promise']}")
    certificate = calibration["certificate"]
    if certificate["threshold"] is None:
        stays = "; the earlier threshold and its temperature stay"
        lines.append(
            f"* no threshold could be certified: {certificate['statement']}"
            + stays * (calibration["threshold_by"] == "earlier calibration")
        )
    return lines


def _failures(card: Card, metrics: Report) -> str:
    test = metrics.get("test") or {}
    lines = []
    classes = [c for c in test.get("classes", []) if c["recall"]["estimate"] is not None and c["sheets"]]
    if classes:
        worst = min(classes, key=lambda c: c["recall"]["estimate"])
        lines.append(f"* lowest recall, {_plain(worst['name'])}: {_interval(worst['recall'])}")
        lines += [
            f"* {_plain(c['name'])}: only {c['sheets']} test sheets, its figures are unreliable"
            for c in classes
            if c["sheets"] < FEW
        ]
    if confused := _confusion(test.get("confusion"), card.class_names):
        lines.append(f"* {confused}")
    smallest = (test.get("places") or {}).get("smallest")
    if smallest:
        lines.append(f"* defects by size: {reliable_size(smallest)}")
    notes = [*(metrics.get("notes") or []), *test.get("notes", [])]
    lines += [f"* {_plain(note)}" for note in notes]
    return "## Known failures\n\n" + "\n".join(lines) if lines else ""


def _confusion(matrix: Sequence[Sequence[int]] | None, names: Sequence[str]) -> str:
    """The most frequent confusion in words; "" without errors."""
    if not matrix:
        return ""
    count, truth, verdict = max(
        ((count, i, j) for i, row in enumerate(matrix) for j, count in enumerate(row) if i != j),
        default=(0, 0, 0),
    )
    if not count:
        return ""
    return (
        f"most frequent confusion: {_plain(names[truth])} predicted as {_plain(names[verdict])}, "
        f"{count} test sheets"
    )


def _training(card: Card, metrics: Report) -> str:
    training, recipe = metrics.get("training", {}), card.recipe
    chosen = {
        key: _dig(recipe, key)
        for key in (
            "batch_size",
            "optimiser.method",
            "optimiser.learning_rate",
            "noise.sigma",
            "balance.method",
            "loss.masks",
        )
    }
    keys = ", ".join(f"`{key}` {value}" for key, value in chosen.items() if value is not None)
    balance = metrics.get("balance") or {}
    words = (
        f"## Training\n\n{training.get('epochs', '–')} epochs, the weights of epoch "
        f"{training.get('best_epoch', '–')} kept; seed {card.seed}; {keys}."
    )
    if "after" in balance:
        words += f" Training sheets a class {balance['before']}, with copies {balance['after']}."
    if generated := metrics.get("generated"):
        words += (
            f" {generated['sheets']} sheets of the generator (version {generated['version']}, seed "
            f"{generated['seed']}) took part, with {generated['share']:g} of the loss."
        )
    environment = ", ".join(f"{key} {value}" for key, value in metrics.get("environment", {}).items())
    return f"{words} The whole recipe is in recipe.json.\n\nMade with {environment}."


def _dig(recipe: Mapping[str, Any], key: str) -> Any:
    value: Any = recipe
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _titled(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    return f"## {title}\n\n" + _table(heads, rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [heads, ["---"] * len(heads), *([_plain(str(cell)) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _interval(interval: Mapping[str, float | None]) -> str:
    estimate, low, high = (interval[key] for key in ("estimate", "low", "high"))
    if estimate is None:
        return "–"
    return f"{estimate:.3f}" if low is None or high is None else f"{estimate:.3f} [{low:.3f}, {high:.3f}]"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _plain(text: str) -> str:
    """Text with Markdown's special characters escaped, on one line."""
    marks = str.maketrans({mark: f"\\{mark}" for mark in "\\|`*_<>#"})
    return " ".join(text.translate(marks).split())
