"""`steelsight explain RUN IMAGES...`: figures and numbers that explain a model's verdicts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steelsight.cli.console import (
    JsonFlag,
    RunArgument,
    console,
    emit_json,
    print_earlier,
    print_line,
    progress_bar,
)
from steelsight.cli.options import draws_figures, expand_options
from steelsight.errors import BadInput
from steelsight.runs.options import ExplainOptions

if TYPE_CHECKING:
    from steelsight.api.results.explanations import MistakesResult

__all__ = ["explain"]


@draws_figures
@expand_options
def explain(
    run: RunArgument,
    images: Annotated[
        list[Path], typer.Argument(help="Image files, or folders of them; with --errors one DATA folder.")
    ],
    options: ExplainOptions,
    out: Annotated[Path | None, typer.Option(help="Folder to write. Default: RUN/explanations.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Draw what a model's verdict is based on: red supports a class, blue speaks against it.

    Masks are outlined where DATA, or a mask of the same name beside the image, gives them. An image that
    cannot be read is set aside with its reason, the others are explained, and the exit code is 2.
    """
    from steelsight.api.lab.run import Run

    if options.errors:
        if len(images) != 1:
            raise BadInput(f"--errors: expected one DATA folder, got {len(images)} paths; give one")
        with console.status("opening") as status:
            done = Run(run).mistakes(
                images[0], out=out, options=options, progress=lambda event: status.update(event.message)
            )
        _print_errors(done)
        if as_json:
            emit_json(done.report)
        return
    with progress_bar("explaining") as progress:
        explained = Run(run).explain(
            images, out=out, options=options, progress=lambda event: progress(event.done, event.total)
        )
    _print(explained.report)
    if as_json:
        emit_json(explained.report)
    if explained.report["set_aside"]:
        raise typer.Exit(2)


def _print_errors(done: MistakesResult) -> None:
    result = done.report
    kinds = Counter(mistake["kind"] for mistake in result["mistakes"])
    words = ", ".join(f"{count} {kind}s" for kind, count in kinds.items()) or "none wrong"
    console.print(f"{result['sheets']} sheets: {words}", markup=False)
    print_earlier(result)
    print_line(f"gallery: {done.page}")


def _print(result: dict[str, Any]) -> None:
    """Verdicts, what was set aside, and where the figures are."""
    namesakes = Counter(Path(row["image"]).name for row in result["sheets"])
    for row in result["sheets"]:
        path = Path(row["image"])
        line = (
            f"{path.name if namesakes[path.name] == 1 else path}  {row['verdict']}  {row['confidence']:.3f}"
        )
        print_line(line + (f"  true: {row['truth']}" if row["truth"] else ""))
    print_line(
        f"probabilities at temperature {result['temperature']:.4g} ({result['temperature_from']}); a bundle "
        "has a temperature of its own, in its card.json"
    )
    for rejection in result["set_aside"]:
        print_line(f"set aside: {rejection['id']}: {rejection['reason']}")
    print_earlier(result)
    print_line(f"{len(result['sheets'])} figure(s) and explanations.json in {result['out']}")
