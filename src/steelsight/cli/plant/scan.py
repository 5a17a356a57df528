"""`steelsight scan BUNDLE SOURCE...`: verdicts as Parquet rows, with a report; the same command continues."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from steelsight.cli.boundary import INTERRUPTED
from steelsight.cli.console import BundleArgument, JsonFlag, emit_json, print_line, progress_bar
from steelsight.cli.executor import connected, parts_on_cluster
from steelsight.cli.options import draws_figures, expand_options
from steelsight.errors import BadInput
from steelsight.names import on_one_line
from steelsight.runtime.scan.options import ScanOptions

if TYPE_CHECKING:
    from steelsight.api.results.bundles import ScanResult

__all__ = ["scan"]

SETS_SHOWN: Final = 8  # label sets that are printed


@draws_figures
@expand_options
def scan(
    bundle: BundleArgument,
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Image files, folders, patterns such as 'line3/*.jpg', tar and zip archives; also in object "
            "storage: s3://BUCKET/PREFIX/.",
            metavar="SOURCE...",
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            help="Folder for verdicts and report, or s3://BUCKET/PREFIX in object storage.", metavar="DIR"
        ),
    ],
    options: ScanOptions,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Number of processes. Default: one a processor core.", show_default=False),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Scan the files of a folder as they arrive, until Ctrl-C.")
    ] = False,
    idle: Annotated[
        float | None,
        typer.Option(
            min=0, help="With --watch: end after this many seconds without a new file.", show_default=False
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            help="Scan on a Ray cluster: auto, local or HOST:PORT. --workers then bounds its processes.",
            metavar="ADDRESS",
            show_default=False,
        ),
    ] = None,
    mixed: Annotated[
        bool,
        typer.Option(
            "--mixed", help="With --ray: use nodes with other processors too; each row tells its own."
        ),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Scan sheets: verdicts as Parquet, unusable files with reasons, a report sorted by uncertainty.

    The same command continues an interrupted scan. Exit code 2 if an image could not be read.
    """
    if idle is not None and not watch:
        raise BadInput("--idle: expected together with --watch")
    if ray is not None and watch:
        raise BadInput("--ray: a watched folder is judged in one process; leave it out")
    if mixed and ray is None:
        raise BadInput("--mixed: expected together with --ray")
    if workers is not None and watch:
        raise BadInput("--workers: a watched folder is judged in one process; leave it out")
    try:
        done = (
            _watch(bundle, sources, out, options, idle)
            if watch
            else _scan_on_cluster(bundle, sources, out, options, workers, ray, mixed)
            if ray is not None
            else _scan(bundle, sources, out, options, workers)
        )
    except KeyboardInterrupt:
        print_line(f"stopped; every part in {on_one_line(str(out))} is whole; the same command goes on")
        raise typer.Exit(INTERRUPTED) from None
    _print(done)
    if as_json:
        emit_json(done.as_dict())
    if done.report.summary.states["bad_image"]:
        raise typer.Exit(2)


def _scan(
    bundle: Path, sources: list[str], out: str, options: ScanOptions, workers: int | None
) -> ScanResult:
    from steelsight.api.plant.scanning import scan as run

    with progress_bar("scanning") as progress:
        return run(
            bundle,
            sources,
            out,
            workers=workers,
            options=options,
            progress=lambda event: progress(event.done, event.total),
        )


def _scan_on_cluster(
    bundle: Path,
    sources: list[str],
    out: str,
    options: ScanOptions,
    workers: int | None,
    address: str,
    mixed: bool,
) -> ScanResult:
    from steelsight.api.plant.scanning import scan as run

    with connected(address), progress_bar("scanning") as progress:
        return run(
            bundle,
            sources,
            out,
            run_parts=parts_on_cluster(workers),
            mixed=mixed,
            options=options,
            progress=lambda event: progress(event.done, event.total),
        )


def _watch(
    bundle: Path, sources: list[str], out: str, options: ScanOptions, idle: float | None
) -> ScanResult:
    from steelsight.api.plant.scanning import watch as run

    with progress_bar("watching") as progress:
        return run(
            bundle,
            sources,
            out,
            idle=idle,
            options=options,
            progress=lambda event: progress(event.done, None),
        )


def _print(done: ScanResult) -> None:
    report, facts = done.report, done.as_dict()
    speed = f", {facts['sheets_per_s']:.0f} a second" if facts["sheets_per_s"] else ""
    kept = f"; {report.kept:,} were there" if report.kept else ""
    print_line(f"{report.scanned:,} sheets scanned{speed}{kept} ({report.engine})")
    for label, states in facts["labels"].items():
        counts = ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in states.items())
        print_line(f"  {label}: {counts}")
    _print_label_sets(report.summary.label_sets)
    if bad := report.summary.states["bad_image"]:
        print_line(f"  set aside: {bad:,}, with reasons in {on_one_line(str(report.out / 'quarantine.csv'))}")
    if report.transient:
        print_line(
            f"  of them {report.transient:,} for a reason that may pass, such as missing: "
            "the same command tries them again"
        )
    for words in done.drift:
        print_line(f"  drift, {words}")
    if report.summary.certificate is not None and report.summary.certificate.void:
        print_line(f"  {report.summary.certificate.statement}")
    for part in report.rewritten:
        print_line(f"  part {part} was damaged and is written anew")
    if report.later:
        named = ", ".join(facts["later_names"])
        print_line(
            f"  {len(report.later):,} files came after the plan was made and are not part of it: {named}"
        )
    if report.passed_over:
        for line in report.passed_over_named:
            print_line(f"  not scanned: {line}")
        if more := report.passed_over - len(report.passed_over_named):
            reasons = on_one_line(str(report.out / "summary.json"))
            print_line(f"  not scanned: {more:,} more places, with reasons in {reasons}")
    if report.partitions is not None:
        unmatched = report.partitions.unmatched
        words = f"; {unmatched:,} sheets have names that do not match" if unmatched else ""
        print_line(f"  partitions: {report.partitions.folders:,} folders{words}")
    if report.page is not None:
        print_line(f"report: {on_one_line(str(report.page))}")


def _print_label_sets(sets: Counter[str]) -> None:
    """The most frequent label sets of doubtful sheets."""
    for words, count in sorted(sets.items(), key=lambda entry: (-entry[1], entry[0]))[:SETS_SHOWN]:
        print_line(f"  doubtful, {words}: {count:,}")
    if len(sets) > SETS_SHOWN:
        print_line(f"  and {len(sets) - SETS_SHOWN} other label sets, in summary.json")
