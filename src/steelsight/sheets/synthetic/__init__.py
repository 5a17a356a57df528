"""Synthetic strip images with defects, masks and known nuisances, drawn from random numbers alone."""

from steelsight.sheets.synthetic.sheet import SyntheticSheet, draw_sheet
from steelsight.sheets.synthetic.spec import EVEN_SHARES, STUDY_SHARES, SynthSpec, synth_spec
from steelsight.sheets.synthetic.writer import write_sheets

__all__ = [
    "EVEN_SHARES",
    "STUDY_SHARES",
    "SynthSpec",
    "SyntheticSheet",
    "draw_sheet",
    "synth_spec",
    "write_sheets",
]
