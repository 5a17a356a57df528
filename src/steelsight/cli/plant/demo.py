"""`demo`: the main job in one command: sheets, the package's own model, verdicts with reasons, a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import JsonFlag, console, emit_json

__all__ = ["demo"]


def demo(
    out: Annotated[Path, typer.Option(help="Folder for sheets, verdicts and report.")] = Path("demo"),
    data: Annotated[
        Path | None, typer.Option(help="Folder of your own images instead of generated ones.", metavar="DIR")
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Another BUNDLE than the package's own.", metavar="BUNDLE")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Generated sheets.")] = 60,
    seed: Annotated[int, typer.Option(help="Same seed, same sheets.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Scan generated sheets, or your own, with the model that comes along, and write a report.

    That model was trained on generated sheets: on your images it shows how Steelsight works, not how good it
    can be there. For that, train one on them.
    """
    from steelsight.runtime.bundle.default import default_bundle
    from steelsight.runtime.scan.run import scan

    sheets = data if data is not None else _draw(out / "sheets", count, seed) / "train_images"
    with console.status("scanning"):
        report = scan(bundle or default_bundle(), [sheets], out / "scan", heatmaps=True, fresh=True)
    summary = report.summary
    counts = ", ".join(f"{count} {state}" for state, count in summary.states.items())
    console.print(f"{report.judged} sheets: {counts}")
    console.print(f"Report: {report.page}", markup=False, soft_wrap=True)
    if as_json:
        emit_json(report.as_dict())


def _draw(folder: Path, count: int, seed: int) -> Path:
    """Sheets of the generator, as many of each class; those of an earlier demo of the same kind are kept."""
    from rich.progress import track

    from steelsight.sheets.synthetic import EVEN_SHARES, synth_spec
    from steelsight.sheets.synthetic.writer import iterate_written

    spec = synth_spec(seed=seed, count=count, class_shares=EVEN_SHARES)
    spec_file = folder / "spec.json"
    if spec_file.exists() and (folder / "train.csv").exists():
        kept = type(spec).model_validate_json(spec_file.read_text(encoding="utf-8"))
        if kept == spec:
            return folder
    written = iterate_written(spec, folder, workers=2, force=True)
    shown = track(
        written, f"drawing {count} sheets", total=count, console=console, disable=not console.is_terminal
    )
    for _ in shown:
        pass
    return folder
