"""Removing a stain restores the sheet approximately, and changes nothing else."""

from __future__ import annotations

import numpy as np
from tests.counterfactuals.proof_cases import stained, steel

from steelsight.counterfactuals.nuisances.stains import find_stain
from steelsight.counterfactuals.pasting.inpaint import NEAR_PX, SEAM_PX, remove_stain
from steelsight.counterfactuals.pasting.paste import draw_stamp, lay, place_stamp


def _off(a: np.ndarray, b: np.ndarray, mask: np.ndarray) -> float:
    return float(np.sqrt(np.mean((a.astype(float) - b)[mask] ** 2)))


def test_a_pasted_square_is_removed(rng: np.random.Generator) -> None:
    ramp = np.linspace(-25, 25, 160)  # uneven light
    original = np.clip(steel(rng).astype(float) + ramp, 0, 255).astype(np.uint8)
    stained_sheet, mask = stained(original)
    cleaned = remove_stain(stained_sheet, mask, rng)
    grain = 6 * np.sqrt(2)  # of two sheets that share no grain
    assert _off(stained_sheet, original, mask) > 100
    assert _off(cleaned, original, mask) < 1.3 * grain
    assert abs(cleaned[mask].mean() - original[mask].mean()) < 4
    assert 0.7 < cleaned[mask].std() / original[mask].std() < 1.4  # grain stays grain
    assert not find_stain(cleaned).any()


def test_drawn_stains_are_removed(rng: np.random.Generator) -> None:
    before, after = [], []
    for _ in range(12):
        original = steel(rng)
        stamp = draw_stamp(rng, 64)
        place = place_stamp(stamp, np.zeros((64, 160), bool), rng)
        assert place is not None
        laid = lay(original, stamp, place)
        mask = find_stain(laid.gray)
        if mask.any():
            cleaned = remove_stain(laid.gray, mask, rng)
            before.append(_off(laid.gray, original, laid.mask))
            after.append(_off(cleaned, original, laid.mask))
    assert len(after) >= 8
    assert np.median(after) < 0.2 * np.median(before)


def test_only_the_stain_and_its_surroundings_change(rng: np.random.Generator) -> None:
    stained_sheet, mask = stained(steel(rng), top=20, left=90)
    reach = NEAR_PX + SEAM_PX
    far = np.ones_like(mask)
    far[20 - reach : 34 + reach, 90 - reach : 102 + reach] = False
    cleaned = remove_stain(stained_sheet, mask, rng)
    assert (cleaned[far] == stained_sheet[far]).all()
    assert (remove_stain(stained_sheet, np.zeros_like(mask), rng) == stained_sheet).all()


def test_the_defect_is_neither_changed_nor_used_as_fill(rng: np.random.Generator) -> None:
    stained_sheet, mask = stained(steel(rng))
    defect = np.zeros_like(mask)
    defect[:, 40:86] = True
    defect[25:30, 92:95] = True  # under the stain
    stained_sheet[defect] = 20
    cleaned = remove_stain(stained_sheet, mask, rng, keep_off=defect)
    assert (cleaned[defect] == 20).all()
    assert cleaned[mask & ~defect].min() > 60
