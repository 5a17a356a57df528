"""A control shows no block: dark or bright edges of another sheet do not appear in the middle of a sheet."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.counterfactuals.proof_cases import steel

from steelsight.counterfactuals.pasting.control import MOST_STEP, clean_control, largest_step
from steelsight.counterfactuals.pasting.paste import Stamp, control_stamp, draw_stamp, lay, place_stamp
from steelsight.types import GrayImage

LIMIT_PX = 9  # the window of the local mean at a height of 64


def _local_means(gray: GrayImage, side: int = LIMIT_PX) -> np.ndarray:
    """Means of all whole windows, by sums: independent of the package's filter."""
    sums = np.pad(gray.astype(float), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    return (sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]) / side**2


def _two_blobs() -> Stamp:
    cover = np.zeros((30, 80), np.float32)
    cover[10:28, 2:8] = 1
    cover[12:28, 30:78] = 1
    return Stamp(cover, np.full(cover.shape, 250, np.float32))


def test_a_donors_dark_edge_does_not_become_a_black_block(rng: np.random.Generator) -> None:
    sheet, donor = steel(rng, level=90), steel(rng, level=110)
    donor[:, :12] = 5
    stamp, place = _two_blobs(), (20, 40)
    plain = lay(sheet, control_stamp(stamp, sheet, place, donor, (20, 0)), place).gray
    clean = lay(sheet, clean_control(stamp, sheet, place, donor, (20, 0)), place).gray
    assert np.abs(_local_means(plain) - _local_means(sheet)).max() > 60  # the case is one
    assert np.abs(_local_means(clean) - _local_means(sheet)).max() <= MOST_STEP
    assert clean.mean() == pytest.approx(sheet.mean(), abs=0.05)


@settings(max_examples=60)
@example(4096, "half", 0)  # clipping alone leaves the texture's mean apart from the place's
@given(
    st.integers(0, 10_000),
    st.sampled_from(["left", "top", "ramp", "spot", "stripes", "half"]),
    st.sampled_from([0, 5, 255]),
)
def test_no_part_of_a_control_stands_out(seed: int, where: str, level: int) -> None:
    rng = np.random.default_rng(seed)
    sheet, donor = steel(rng, level=rng.uniform(50, 200)), steel(rng, level=rng.uniform(50, 200))
    if where == "ramp":
        donor = np.linspace(0, 255, donor.shape[1])[None].repeat(donor.shape[0], 0).astype(np.uint8)
    else:
        part = {
            "left": np.s_[:, :20],
            "top": np.s_[:10],
            "spot": np.s_[20:30, 60:75],
            "stripes": np.s_[:, ::16],
            "half": np.s_[:, 80:],
        }
        donor[part[where]] = level
    stamp, nothing = draw_stamp(rng, 64), np.zeros(sheet.shape, bool)
    place, origin = (place_stamp(stamp, nothing, rng) for _ in range(2))
    assert place is not None
    assert origin is not None
    control = clean_control(stamp, sheet, place, donor, origin)
    assert (control.cover == stamp.cover).all()
    window = sheet[place[0] :, place[1] :][: stamp.size[0], : stamp.size[1]].astype(np.float32)
    assert largest_step(control, window, LIMIT_PX) <= MOST_STEP
    pasted = lay(sheet, control, place).gray
    assert np.abs(_local_means(pasted) - _local_means(sheet)).max() <= MOST_STEP + 1  # rounding, half covers


def test_clean_texture_stays_as_it_was(rng: np.random.Generator) -> None:
    sheet, donor, stamp = steel(rng, level=100), steel(rng, level=130), draw_stamp(rng, 64)
    place = origin = (0, 10)
    plain = control_stamp(stamp, sheet, place, donor, origin)
    assert (clean_control(stamp, sheet, place, donor, origin).gray == plain.gray).all()
