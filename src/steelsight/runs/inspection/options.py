"""Options of the inspections of a run: layers and neurons."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from steelsight.options import check_options, option
from steelsight.sheets.options import DataOptions

__all__ = ["LayerOptions", "NeuronOptions"]


@dataclass(frozen=True)
class LayerOptions(DataOptions):
    """Which layers are probed, on which sheets, and beside which control networks."""

    layers: tuple[str, ...] | None = option(
        None, help="Layer names, joined by commas; default all. A wrong name lists them.", joined=True
    )
    fit: str = option("train", help="Part of the run that probes are fitted on: train or validation.")
    split: str = option("test", help="Part that probes are evaluated on: test, validation or unseen.")
    controls: str | None = option(
        None, help="Control networks: imagenet, random, shuffled, joined by commas; default all."
    )
    sheets: int = option(2000, help="Maximum number of sheets, both parts together.", min=1)
    tsne: int = option(500, help="Maximum number of sheets on the t-SNE maps; 0 = no maps.", min=0)
    perplexity: float | None = option(
        None, help="Perplexity of t-SNE; default 30, or a third of the sheets where there are few."
    )
    resamples: int = option(1000, help="Resamples of the bootstrap.", min=1, command_line=False)
    seed: int = option(
        0, help="Seed of the drawn sheets, the projections, the controls, t-SNE and the bootstrap.", min=0
    )

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class NeuronOptions(DataOptions):
    """Which neurons are shown, how their images are optimised, and on which sheets they are measured."""

    layer: tuple[str, ...] = option(
        (), help="Layer by its name; repeatable. Default: the output of every Fire module and ReLU."
    )
    neuron: tuple[str, ...] = option(
        (), help="LAYER:CHANNEL, or LAYER:CHANNEL@ROW,COLUMN for one position; repeatable."
    )
    count: int = option(8, help="Neurons per layer.", min=1)
    choose: Literal["telling", "drawn"] = option(
        "telling", help="telling: the neurons that separate the classes best; drawn: at random."
    )
    form: Literal["plain", "grown", "both"] = option(
        "both", help="plain; grown: enlarged and blurred in steps, the study's second form; or both."
    )
    against: Path | None = option(
        None, help="Another RUN of the same network: compare the same neurons.", metavar="RUN", flag="--with"
    )
    steps: int = option(256, help="Optimisation steps of the plain form.", min=1)
    kernel: tuple[int, ...] = option(
        (),
        help="Blur kernel of the second form; repeatable. The largest acceptable kernel is used.",
        min=1,
    )
    clip: bool = option(True, help="Keep pixels between black and white.")
    colour: bool = option(
        False, help="Optimise three channels independently, unlike any gray sheet.", flag="--colour"
    )
    jitter: int = option(0, help="Shift the image by up to this many pixels at each step.", min=0)
    variation: float = option(0.0, help="Weight of the total variation penalty.", min=0)
    fourier: float = option(
        0.0, help="Exponent of the 1/f scaling of Fourier coefficients; 0 = optimise pixels.", min=0
    )
    start: Path | None = option(None, help="Start from this image instead of noise.")
    split: str = option("test", help="Sheets shown: test, validation, train, or unseen.")
    limit: int = option(2000, help="Maximum number of sheets shown, drawn at random.", min=2)
    precision: str = option("fp32", help="fp32, or bf16, which is faster where the processor supports it.")
    seed: int = option(0, help="Seed of starts, jitter, drawn sheets and resampling.", min=0)

    def __post_init__(self) -> None:
        check_options(self)
