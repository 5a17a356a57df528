"""Taking a stain off brings the sheet near what it was before, and leaves the rest alone."""

from __future__ import annotations

import numpy as np
from tests.shortcuts.proof_cases import stained, steel

from steelsight.shortcuts.nuisances.stains import find_stain
from steelsight.shortcuts.pasting.inpaint import NEAR_PX, SEAM_PX, remove_stain
from steelsight.shortcuts.pasting.paste import draw_stamp, lay, place_stamp


def _off(a: np.ndarray, b: np.ndarray, mask: np.ndarray) -> float:
    return float(np.sqrt(np.mean((a.astype(float) - b)[mask] ** 2)))


def test_a_pasted_square_is_gone(rng: np.random.Generator) -> None:
    ramp = np.linspace(-25, 25, 160)  # uneven light
    original = np.clip(steel(rng).astype(float) + ramp, 0, 255).astype(np.uint8)
    spoilt, mask = stained(original)
    mended = remove_stain(spoilt, mask, rng)
    grain = 6 * np.sqrt(2)  # of two sheets that share no grain
    assert _off(spoilt, original, mask) > 100
    assert _off(mended, original, mask) < 1.3 * grain
    assert abs(mended[mask].mean() - original[mask].mean()) < 4
    assert 0.7 < mended[mask].std() / original[mask].std() < 1.4  # grain stays grain
    assert not find_stain(mended).any()


def test_drawn_stains_are_gone(rng: np.random.Generator) -> None:
    before, after = [], []
    for _ in range(12):
        original = steel(rng)
        stamp = draw_stamp(rng, 64)
        place = place_stamp(stamp, np.zeros((64, 160), bool), rng)
        assert place is not None
        laid = lay(original, stamp, place)
        mask = find_stain(laid.gray)
        if mask.any():
            mended = remove_stain(laid.gray, mask, rng)
            before.append(_off(laid.gray, original, laid.mask))
            after.append(_off(mended, original, laid.mask))
    assert len(after) >= 8
    assert np.median(after) < 0.2 * np.median(before)


def test_only_the_stain_and_its_surroundings_change(rng: np.random.Generator) -> None:
    spoilt, mask = stained(steel(rng), top=20, left=90)
    reach = NEAR_PX + SEAM_PX
    far = np.ones_like(mask)
    far[20 - reach : 34 + reach, 90 - reach : 102 + reach] = False
    mended = remove_stain(spoilt, mask, rng)
    assert (mended[far] == spoilt[far]).all()
    assert (remove_stain(spoilt, np.zeros_like(mask), rng) == spoilt).all()


def test_the_defect_stays_and_does_not_serve_as_fill(rng: np.random.Generator) -> None:
    spoilt, mask = stained(steel(rng))
    defect = np.zeros_like(mask)
    defect[:, 40:86] = True
    defect[25:30, 92:95] = True  # under the stain
    spoilt[defect] = 20
    mended = remove_stain(spoilt, mask, rng, keep_off=defect)
    assert (mended[defect] == 20).all()
    assert mended[mask & ~defect].min() > 60
