"""Options of an adaptation. Free of heavy imports, so that `--help` stays fast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from steelsight.options import option
from steelsight.reports.hub_card import check_license
from steelsight.sheets.options import DataOptions

__all__ = ["AdaptOptions"]


@dataclass(frozen=True)
class AdaptOptions(DataOptions):
    """Which sheets and classes the head is fitted to, and how it is judged and certified."""

    also: tuple[Path, ...] = option(
        (), help="A further DATA folder of labelled sheets; repeatable.", metavar="DATA"
    )
    certify: Path | None = option(
        None,
        help="DATA folder of sheets drawn at random or by audit and never fitted on, for the certificate.",
        metavar="DATA",
    )
    new: tuple[str, ...] = option(
        (), help="A class of DATA that the bundle does not have; repeatable.", metavar="NAME"
    )
    drop: tuple[str, ...] = option(
        (), help="A class of the bundle that the new head leaves out; repeatable.", metavar="NAME"
    )
    rename: tuple[str, ...] = option(
        (), help="A class of DATA that the bundle has under another name; repeatable.", metavar="DATA=BUNDLE"
    )
    take_classes: bool = option(
        False,
        help="Take DATA's classes as they are: others of the bundle are left out, further ones are new.",
        flag="--take-classes",
    )
    folds: int = option(5, help="Folds of the cross-validation; fewer where a class has fewer groups.", min=2)
    repeats: int = option(3, help="Repetitions of the cross-validation.", min=1)
    risk: float = option(0.05, help="Share of wrong answers allowed among answered sheets.")
    delta: float = option(0.1, help="Probability that the certificate does not hold.")
    probes: int = option(
        24, help="Labelled sheets carried in the bundle for `bundle verify`; 0 = none.", min=0
    )
    license: str | None = option(
        None,
        help="Licence of the adapted model by its identifier on the Hugging Face hub; default: the bundle's.",
        metavar="ID",
    )
    seed: int = option(0, help="Seed of folds and intervals.", min=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.license is not None:
            check_license(self.license)
