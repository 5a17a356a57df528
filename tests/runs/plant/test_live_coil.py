"""A generated coil for the console: places of the sheets, the roll mark, the fading lamp, one process."""

from __future__ import annotations

import multiprocessing
import os
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("scipy", reason="needs the extra [synth]")

from steelsight.runs.plant.live_coil import LiveCoil, live_sheets, write_live, write_live_in_child

COIL = LiveCoil(seed=3, sheets=6, name="T", turn_m=2.2)


def test_names_give_the_place_on_the_coil() -> None:
    names = [name for name, _ in islice(live_sheets(COIL), 8)]
    assert names[:2] == ["T-0001_0.00_top.jpg", "T-0001_1.60_top.jpg"]
    assert names[5:7] == ["T-0001_8.00_top.jpg", "T-0002_0.00_top.jpg"]
    assert len(set(names)) == 8


def test_the_roll_mark_returns_with_each_turn_and_nowhere_else() -> None:
    marked = [gray for _, gray in islice(live_sheets(COIL), 5)]
    without = [gray for _, gray in islice(live_sheets(LiveCoil(seed=3, sheets=6, turn_m=1e6)), 5)]
    found = []
    for number, (one, other) in enumerate(zip(marked, without, strict=True)):
        rows, columns = np.nonzero(one != other)
        if columns.size:
            found.append(1.6 * number + columns.mean() / 1000)
            assert abs(rows.mean() - 380 / 4) < 2
    assert np.allclose(found, 0.55 + 2.2 * np.arange(len(found)), atol=0.02)
    assert len(found) == 4


def test_the_lamp_fades_from_the_middle_of_the_coil_on() -> None:
    steady = LiveCoil(seed=3, sheets=600)
    plain = [gray.astype(float) for _, gray in islice(live_sheets(steady), 6)]
    faded = [gray.astype(float) for _, gray in islice(live_sheets(COIL), 6)]
    shares = [one.mean() / other.mean() for one, other in zip(faded, plain, strict=True)]
    assert np.allclose(shares[:4], 1, atol=0.02)
    assert shares[4] == pytest.approx(0.85, abs=0.02)
    assert shares[5] == pytest.approx(0.7, abs=0.02)


def test_sheets_are_written_at_the_rate(tmp_path: Path) -> None:
    waited: list[float] = []
    write_live(tmp_path, COIL, 4.0, wait=waited.append, clock=lambda: 100.0, count=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "T-0001_0.00_top.jpg",
        "T-0001_1.60_top.jpg",
        "T-0001_3.20_top.jpg",
    ]
    assert waited == [0.0, 0.25, 0.5]
    with Image.open(tmp_path / "T-0001_0.00_top.jpg") as image:
        assert image.size == (1600, 256)


def test_a_process_of_its_own_writes_until_it_is_ended(tmp_path: Path) -> None:
    child = multiprocessing.get_context("spawn").Process(
        target=write_live_in_child, args=(os.getpid(), str(tmp_path), COIL, 20.0), daemon=True
    )
    child.start()
    for _ in range(1200):
        if len(list(tmp_path.glob("T-*.jpg"))) >= 2:
            break
        time.sleep(0.05)
    child.terminate()
    child.join(30)
    assert len(list(tmp_path.glob("T-*.jpg"))) >= 2
    assert not child.is_alive()
