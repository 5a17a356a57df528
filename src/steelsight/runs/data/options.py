"""Options of a synthetic DATA folder. Free of SciPy, so that `--help` stays fast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from steelsight.options import check_options, option

__all__ = ["SynthOptions"]

_FIVE = "five numbers, none and types 1-4, such as .2,.2,.2,.2,.2"


@dataclass(frozen=True)
class SynthOptions:
    """What a synthetic set contains, as text of the command line; `synth_spec` checks the values."""

    count: int = option(100, help="Number of sheets.")
    seed: int = option(0, help="Seed: the same seed and options give the same bytes.")
    size: str = option("256x1600", help="HEIGHTxWIDTH in pixels.")
    shares: str = option("study", help=f"Class shares: 'study', 'even', or {_FIVE}.")
    multi_type_share: float = option(
        0.0, help="Share of defective sheets with a second defect type; 0.064 in the competition."
    )
    stain_given_none: float = option(
        0.03,
        help="Probability of a white stain on a defect-free sheet; in the study 164 of 5,902.",
    )
    stain_given_defect: float = option(0.002, help="Probability of a white stain on a defective sheet.")
    stain_may_cover: bool = option(False, help="Allow a stain to cover a defect.")
    end_given_class: str = option(".25,.5,.8,.3,.12", help=f"Probability of a black sheet end: {_FIVE}.")
    sloppiness: float = option(
        0.5, help="Coarseness of the masks: 0 = close to the defect, 0.5 = like the annotators', up to 2."
    )
    quality: str = option("86-96", help="JPEG quality, LOW-HIGH, drawn for each sheet.")
    version: int = option(
        2, help="Version of the generator, 1 or 2; 1 draws the same bytes as before there was a second."
    )
    plate_given_none: float = option(
        0.06, help="Version 2: probability of chequer or tear plate on a defect-free sheet."
    )
    compare: Path | None = option(
        None, help="Masks of real sheets (CSV like train.csv): writes compare.png, real beside synthetic."
    )
    workers: int = option(2, help="Number of drawing processes; the bytes do not depend on it.", min=1)
    force: bool = option(False, help="Replace an earlier synthetic set in OUT.")

    def __post_init__(self) -> None:
        check_options(self)
