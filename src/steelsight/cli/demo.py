"""`demo`: the main job from nothing, in one command: sheets, a model, verdicts with reasons, a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steelsight.cli.console import JsonFlag, console, emit_json
from steelsight.errors import BadInput, MissingWeights

if TYPE_CHECKING:
    from steelsight.explanations.sources import ReadSheet
    from steelsight.explanations.verdicts import Explanation
    from steelsight.training.run import RunResult
    from steelsight.types import Rejection

__all__ = ["demo"]

SHOWN = 24  # sheets in the report; all are in the table and in verdicts.json
REPORT = "report.html"


def demo(
    out: Annotated[Path, typer.Option(help="Folder for sheets, model and report.")] = Path("demo"),
    data: Annotated[
        Path | None, typer.Option(help="Folder of your own images to inspect instead of generated ones.")
    ] = None,
    count: Annotated[int, typer.Option(min=40, help="Generated sheets to train on.")] = 800,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over them.")] = 14,
    seed: Annotated[int, typer.Option(help="Same seed, same sheets and same model.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Generate sheets, train a small model on them, inspect sheets it has not seen, and write a report."""
    from steelsight.explanations.sources import find_items, read_items
    from steelsight.explanations.verdicts import explain_images
    from steelsight.models.checkpoint import load_checkpoint

    training_set = _draw(out / "sheets", count, seed)
    run = _train(training_set, out / "run", epochs, seed)
    unseen = data if data is not None else _draw(out / "unseen", SHOWN, seed + 1, shares="even")
    items, type_names = find_items([unseen], None if data is not None else unseen)
    model, card = load_checkpoint(run.folder)
    sheets, set_aside = read_items(items, card.input, type_names)
    if not sheets:
        raise BadInput(f"{unseen}: expected images to inspect, none of {len(items)} can be read")
    with console.status(f"inspecting {len(sheets)} sheets"):
        explanations = explain_images(model, card, [sheet.gray for sheet in sheets])
    report = _report(out / REPORT, run, sheets, explanations, set_aside)
    verdicts = [
        {"image": sheet.item.id, "verdict": told.verdict, "confidence": told.confidence, "truth": sheet.truth}
        for sheet, told in zip(sheets, explanations, strict=True)
    ]
    console.print(f"Report: {report}", soft_wrap=True)
    if as_json:
        emit_json({"report": report, "run": run.folder, "verdicts": verdicts, "set_aside": len(set_aside)})
    if set_aside:
        raise typer.Exit(2)


def _draw(folder: Path, count: int, seed: int, *, shares: str = "study") -> Path:
    """Sheets of the generator; those of an earlier demo with the same count and seed are kept."""
    from rich.progress import track

    from steelsight.sheets.synthetic import EVEN_SHARES, STUDY_SHARES, synth_spec
    from steelsight.sheets.synthetic.writer import iterate_written

    spec = synth_spec(seed=seed, count=count, class_shares=EVEN_SHARES if shares == "even" else STUDY_SHARES)
    spec_file = folder / "spec.json"
    if spec_file.exists() and (folder / "train.csv").exists():
        kept = type(spec).model_validate_json(spec_file.read_text(encoding="utf-8"))
        if kept == spec:
            return folder
    written = iterate_written(spec, folder, workers=2, force=True)
    for _ in track(
        written, f"drawing {count} sheets", total=count, console=console, disable=not console.is_terminal
    ):
        pass
    return folder


def _train(data: Path, out: Path, epochs: int, seed: int) -> RunResult:
    """The default recipe; without ImageNet weights at hand a random start, and the report says so."""
    from steelsight.training.run import train_run
    from steelsight.training.watch import ConsoleWatcher

    def train(pretrained: str) -> RunResult:
        settings = [
            f"stop.max_epochs={epochs}",
            f"model.pretrained={pretrained}",
            "loss.masks=1.0",  # generated sheets come with masks; without them a random start learns little
            "learning_rate=0.002",
        ]
        with ConsoleWatcher(console) as watcher:
            return train_run(data, recipe="default", settings=settings, out=out, seed=seed, watcher=watcher)

    try:
        return train("auto")
    except MissingWeights as error:
        console.print(f"{error}", markup=False, soft_wrap=True)
        console.print("The demo goes on from random weights, which cost accuracy.")
        return train("none")


def _report(
    path: Path,
    run: RunResult,
    sheets: list[ReadSheet],
    explanations: list[Explanation],
    set_aside: list[Rejection],
) -> Path:
    """Verdicts sorted by doubt, each with the map of its reason."""
    from steelsight.explanations.gallery import explanation_row
    from steelsight.reports.document import Document
    from steelsight.reports.figures.explanations import draw_explanations

    order = sorted(range(len(sheets)), key=lambda index: explanations[index].confidence)
    document = Document(
        "Steelsight inspects sheets it has not seen", subtitle=f"model trained on {run.card.data_name}"
    )
    document.chapter("Verdicts", lead="The most doubtful first: that is where a person's eye is worth most.")
    document.table(
        ["sheet", "verdict", "probability", "truth"],
        [
            (
                sheets[i].item.id,
                explanations[i].verdict,
                round(explanations[i].confidence, 3),
                sheets[i].truth or "",
            )
            for i in order
        ],
    )
    document.chapter("Reasons", lead="Red places speak for the class above the map, blue ones against it.")
    for index in order[:SHOWN]:
        row = explanation_row(sheets[index], explanations[index], run.card.class_names)
        document.figure(draw_explanations([row]), alt=f"{row.title}: the sheet and a map for each class")
    document.chapter("The model")
    document.facts(_facts(run))
    if set_aside:
        document.chapter("Set aside")
        document.table(["image", "reason"], [(item.id, item.reason) for item in set_aside])
    document.footer(run.metrics["environment"])
    return document.save(path)


def _facts(run: RunResult) -> dict[str, Any]:
    model = run.card.model
    return {
        "network": f"{model.name}, {model.head} head",
        "start": "ImageNet weights" if model.pretrained == "imagenet" else "random weights",
        "epochs": run.metrics["training"]["epochs"],
        "sheets": run.metrics["data"]["sheets"],
        "task": run.card.task,
    }
