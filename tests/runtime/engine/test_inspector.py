"""Verdicts of paths, bytes and arrays; regions in original pixels; reasons of refusals."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

import steelsight
from steelsight.errors import BadBundle
from steelsight.runtime.engine import reading
from steelsight.runtime.engine.regions import find_regions, upsample
from steelsight.sheets.images.placement import place
from steelsight.types import InputSpec, Reason, State

Make = Callable[..., Path]


def _png(gray: np.ndarray) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(gray).save(packed, "PNG")
    return packed.getvalue()


def test_paths_bytes_and_arrays_give_the_same_verdict(
    make_bundle: Make, sheets: np.ndarray, tmp_path: Path
) -> None:
    inspector = steelsight.load(make_bundle(), threads=1)
    path = tmp_path / "sheet.png"
    path.write_bytes(_png(sheets[0]))
    verdicts = [inspector.inspect(each) for each in (sheets[0], path, str(path), path.read_bytes())]
    assert len({verdict.label for verdict in verdicts}) == 1
    for verdict in verdicts:
        assert verdict.probabilities.tolist() == verdicts[0].probabilities.tolist()
        assert verdict.state == State.DECIDED
        assert verdict.heatmap is not None
        assert verdict.heatmap.shape == (64, 96)
        assert verdict.regions == verdicts[0].regions
        assert verdict.model_id == inspector.bundle.card.model_id
    assert verdicts[0].as_dict()["state"] == "decided"


def test_a_stream_keeps_its_order(make_bundle: Make, sheets: np.ndarray) -> None:
    inspector = steelsight.load(make_bundle(), threads=1, batch=4)
    mixed = [sheets[0], b"", sheets[1], b"text", *sheets[2:]]
    found = list(inspector.stream(iter(mixed), heatmaps=False))
    assert [verdict.state == State.BAD_IMAGE for verdict in found] == [False, True, False, True, *[False] * 8]
    assert found[2].probabilities == pytest.approx(inspector.inspect(sheets[1]).probabilities, abs=1e-5)
    assert all(verdict.heatmap is None for verdict in found)


@pytest.mark.parametrize(
    ("image", "reason", "words"),
    [
        (b"", Reason.DAMAGED, "empty"),
        (b"GIF89a nonsense", Reason.DAMAGED, "damaged"),
        (b"hello", Reason.NOT_AN_IMAGE, "expected a JPEG"),
        (Path("nowhere.jpg"), Reason.MISSING, "does not exist"),
        (Path("/"), Reason.NOT_AN_IMAGE, "folder"),
        (np.zeros((3, 3)), Reason.NOT_AN_IMAGE, "expected gray uint8"),
        (np.zeros((0, 3), np.uint8), Reason.NOT_AN_IMAGE, "expected gray uint8"),
    ],
    ids=["empty", "torn", "text", "missing", "folder", "floats", "no pixels"],
)
def test_an_unreadable_image_gets_a_verdict(
    make_bundle: Make, image: object, reason: Reason, words: str
) -> None:
    found = steelsight.load(make_bundle(), threads=1).inspect(image)
    assert (found.state, found.reason, found.label) == (State.BAD_IMAGE, reason, "")
    assert words in found.detail
    assert np.isnan(found.probability)
    assert found.as_dict()["probability"] is None


def test_an_image_of_too_many_pixels_is_set_aside(
    make_bundle: Make, sheets: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steelsight.sheets.images.image_file.MAX_FILE_BYTES", 100)
    monkeypatch.setattr(reading, "MAX_FILE_BYTES", 100)
    path = make_bundle() / "large.png"
    path.write_bytes(_png(sheets[0]))
    found = steelsight.load(path.parent, threads=1).inspect(path)
    assert found.reason == Reason.TOO_LARGE


def test_a_file_that_changes_while_it_is_read_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sheet.png"
    path.write_bytes(b"first")
    original, calls = reading.os.fstat, []

    def fstat(handle: int) -> object:
        calls.append(handle)
        if len(calls) % 2 == 0 and len(calls) <= changes:
            path.write_bytes(b"longer than before" * len(calls))
        return original(handle)

    monkeypatch.setattr(reading.os, "fstat", fstat)
    changes = 2
    assert reading.read_file(path) == path.read_bytes()  # read again, whole
    calls.clear()
    changes = 4
    with pytest.raises(reading.ImageRefused, match="written to while it was read") as caught:
        reading.read_file(path)
    assert caught.value.reason == Reason.CHANGED


def test_heatmaps_are_interpolated_as_by_torch(rng: np.random.Generator) -> None:
    grid = rng.normal(size=(3, 24)).astype(np.float32)
    wanted = functional.interpolate(torch.from_numpy(grid)[None, None], (64, 400), mode="bilinear")[0, 0]
    assert upsample(grid, (64, 400)) == pytest.approx(wanted.numpy(), abs=1e-5)


def test_regions_lie_where_the_evidence_is() -> None:
    spec = InputSpec(64, 400)
    grid = np.full((4, 25), -1.0, dtype=np.float32)
    grid[1, 5] = 2.0
    grid[2, 20] = 1.5
    found = find_regions([grid], place((256, 1600), spec), (64, 400))
    assert len(found) == 2
    strongest, second = found
    left, top, right, bottom = strongest.box  # the cell spans 320..384 by 64..128 of the original
    assert 300 <= left < right <= 404
    assert 44 <= top < bottom <= 148
    assert left <= 352 <= right
    assert top <= 96 <= bottom
    assert strongest.score == 1.0
    assert second.score == pytest.approx(0.75, abs=0.1)
    assert strongest.area_px <= (right - left) * (bottom - top)
    assert find_regions([], place((256, 1600), spec), (64, 400)) == ()
    assert find_regions([-np.ones((4, 25), np.float32)], place((256, 1600), spec), (64, 400)) == ()


def test_regions_of_a_letterbox_stay_on_the_image() -> None:
    spec = InputSpec(64, 64, "letterbox")
    grid = np.ones((4, 4), dtype=np.float32)
    (region,) = find_regions([grid], place((100, 200), spec), (64, 64))
    assert region.box == (0, 0, 200, 100)


def test_loading_needs_no_torch(make_bundle: Make) -> None:
    code = (
        "import sys, steelsight; "
        f"steelsight.load({str(make_bundle())!r}); "
        "sys.exit('torch' in sys.modules or 'onnx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_loading_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadBundle, match="expected a BUNDLE folder"):
        steelsight.load(tmp_path / "nowhere")
    with pytest.raises(AttributeError, match="has no attribute 'lode'"):
        steelsight.lode  # noqa: B018
