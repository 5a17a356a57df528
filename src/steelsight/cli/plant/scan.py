"""`steelsight scan BUNDLE SOURCE...`: judge sheets into Parquet rows, with a report; again to go on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.cli.console import JsonFlag, console, emit_json
from steelsight.errors import BadInput

if TYPE_CHECKING:
    from steelsight.runtime.scan.run import ScanReport

__all__ = ["scan"]

INTERRUPTED = 130  # as shells say it


def scan(
    bundle: Annotated[Path, typer.Argument(help="BUNDLE folder.", metavar="BUNDLE")],
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Image files, folders, patterns such as 'line3/*.jpg', tar and zip archives.",
            metavar="SOURCE...",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for verdicts and report.", metavar="DIR")],
    engine: Annotated[str, typer.Option(help="openvino or onnxruntime.")] = "openvino",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes. Default: one a processor core.", show_default=False)
    ] = None,
    batch: Annotated[int, typer.Option(min=1, max=512, help="Sheets a pass.")] = 8,
    heatmaps: Annotated[bool, typer.Option("--heatmaps", help="Write the maps of all classes too.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Judge the files of a folder as they arrive, until Ctrl-C.")
    ] = False,
    idle: Annotated[
        float | None,
        typer.Option(
            min=0, help="With --watch: end after so many seconds without a new file.", show_default=False
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget an earlier scan in DIR.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Judge sheets: verdicts as Parquet, bad files with reasons, a report sorted by doubt.

    The same command goes on where an earlier one stopped. Exit code 2 if an image could not be read.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from steelsight.runtime.scan.options import ScanOptions
    from steelsight.runtime.scan.run import scan as run
    from steelsight.runtime.scan.watch import watch as run_watch

    if idle is not None and not watch:
        raise BadInput("--idle: expected together with --watch")
    if workers is not None and watch:
        raise BadInput("--workers: a watched folder is judged in one process; leave it out")
    options = ScanOptions(engine=engine, batch=batch, heatmaps=heatmaps, fresh=fresh)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("watching" if watch else "judging", total=None)

        def tell(done: int, total: int) -> None:
            progress.update(task, completed=done, total=None if watch else total)

        try:
            if watch:
                report = run_watch(bundle, sources, out, options, idle=idle, progress=tell)
            else:
                report = run(bundle, sources, out, options, workers=workers, progress=tell)
        except KeyboardInterrupt:
            progress.stop()
            console.print(f"stopped; what {out} holds is whole, and the same command goes on", soft_wrap=True)
            raise typer.Exit(INTERRUPTED) from None
    _print(report)
    if as_json:
        emit_json(report.as_dict())
    if report.summary.states["bad_image"]:
        raise typer.Exit(2)


def _print(report: ScanReport) -> None:
    def line(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    told = report.as_dict()
    speed = f", {told['sheets_per_s']:.0f} a second" if told["sheets_per_s"] else ""
    kept = f"; {report.kept:,} were there" if report.kept else ""
    line(f"{report.scanned:,} sheets judged{speed}{kept} ({report.engine})")
    for label, states in told["labels"].items():
        line(
            f"  {label}: "
            + ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in states.items())
        )
    if bad := report.summary.states["bad_image"]:
        line(f"  set aside: {bad:,}, with reasons in {report.out / 'quarantine.csv'}")
    for each in report.summary.drift:
        if each.level != "as usual":
            line(f"  drift, {each.title}: {each.reading} ({each.level})")
    for part in report.rewritten:
        line(f"  part {part} was damaged and is written anew")
    if report.later:
        named = ", ".join(told["later_names"])
        line(f"  {len(report.later):,} files came after the plan was made and are no part of it: {named}")
    if report.page is not None:
        line(f"report: {report.page}")
