"""`steelsight quality`: escape and overkill from audit draws, and the people who review them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.cli.console import JsonFlag, emit_json, print_line

if TYPE_CHECKING:
    from steelsight.quality.agreement import Agreement
    from steelsight.quality.certificate import CertificateState
    from steelsight.quality.correction import CorrectedShare
    from steelsight.quality.escape import Escape, Ratio

__all__ = ["quality"]


def quality(
    address: Annotated[
        str,
        typer.Argument(help="A file, sqlite:///FILE, or postgresql://USER@HOST/NAME.", metavar="LEDGER"),
    ],
    since: Annotated[
        str | None, typer.Option(help="Captured at or after, such as 2026-11-01 or 2026-11-01T06:00Z; UTC.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Captured before, likewise.")] = None,
    station: Annotated[str | None, typer.Option(help="Name of one station; all without it.")] = None,
    clean: Annotated[str, typer.Option(help="Label of sheets without a defect.")] = "none",
    risk: Annotated[
        float | None, typer.Option(help="Certified risk of the threshold, such as .05; compared where given.")
    ] = None,
    coverage: Annotated[
        float | None, typer.Option(help="Share of sheets answered when it was certified.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the draws from confidence distributions.", min=0)] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Estimate escape and overkill from audit draws, with 95 % bounds."""
    from steelsight.api.ledger.view import open_ledger

    with open_ledger(address) as ledger:
        found = ledger.quality(
            since=since,
            until=until,
            station=station,
            clean=clean,
            risk=risk,
            coverage=coverage,
            seed=seed,
        )
    for name, each in found.groups.items():
        _print_escape(name, each)
    report = found.report
    print_line(f"agreement of two reviewers: {_kappa(report.agreement)}")
    if report.certificate is not None:
        print_line(_certificate(report.certificate))
    for note in found.notes:
        print_line(f"note: {note}")
    if as_json:
        emit_json(found.as_dict())


def _print_escape(name: str, escape: Escape) -> None:
    passed = f"{escape.sheets['passed']} passed sheets"
    print_line(
        f"{name}: {_share(escape.defective_among_passed)} of {passed} are defective, "
        f"{_share(escape.missed_among_defective)} of the defective are missed "
        f"({escape.reviewed['passed']} draws of passed sheets)"
    )
    if escape.good_among_rejected is not None and escape.rejected_among_good is not None:
        print_line(
            f"{name}: {_share(escape.good_among_rejected)} of {escape.sheets['rejected']} rejected sheets "
            f"have no defect, {_share(escape.rejected_among_good)} of those without are rejected"
        )


def _share(found: CorrectedShare | Ratio) -> str:
    middle = "unknown" if found.estimate is None else f"{100 * found.estimate:.2f} %"
    return f"{middle} [{100 * found.low:.2f}, {100 * found.high:.2f}]"


def _kappa(found: Agreement) -> str:
    if found.kappa is None:
        return found.note
    bounds = "" if found.low is None or found.high is None else f" [{found.low:.2f}, {found.high:.2f}]"
    return f"kappa {found.kappa:.2f}{bounds}, {found.agreed} of {found.pairs} pairs agree"


def _certificate(state: CertificateState) -> str:
    low, high = state.wrong_bounds
    words = "no longer holds" if state.void else "is not refuted"
    changed = "; the coverage has changed" if state.coverage_changed else ""
    return (
        f"the certificate {words}: {state.wrong} of {state.draws} answers on {state.coils} coils seem wrong "
        f"[{low:.4f}, {high:.4f}], at most {state.limit:.4f} with the reviewers' errors{changed}"
    )
