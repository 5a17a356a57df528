"""Doses of a paste: how large and how bright a pasted stamp is, as shares of the stamp."""

from __future__ import annotations

__all__ = ["DOSES", "FULL", "Dose"]

Dose = tuple[float, float]  # share of the area, and share of the way from the steel's gray to the stamp's own

FULL: Dose = (1.0, 1.0)
DOSES: tuple[Dose, ...] = ((0.25, 1.0), (0.5, 1.0), (1.0, 1 / 3), (1.0, 2 / 3), FULL)
