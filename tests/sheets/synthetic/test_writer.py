"""The folder on disk: Kaggle's layout, readable by the package's reader, equal for any number of workers."""

import csv
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steelsight.errors import BadRecipe
from steelsight.sheets.catalog import open_data
from steelsight.sheets.rle import decode_runs
from steelsight.sheets.synthetic import EVEN_SHARES, SynthSpec, draw_sheet, write_sheets
from steelsight.sheets.synthetic.writer import TRUTH_COLUMNS

SPEC = SynthSpec(seed=9, count=8, height=64, width=400, class_shares=EVEN_SHARES, stain_given_none=1.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sheets(SPEC, tmp_path_factory.mktemp("synth") / "set", workers=1)


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def read_rows(table: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(table.read_text().splitlines()))


def test_two_workers_write_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    assert hashes(write_sheets(SPEC, tmp_path / "two", workers=2)) == hashes(folder)


def test_a_script_without_a_guard_of_its_main_module_writes_once(tmp_path: Path) -> None:
    script = tmp_path / "draw.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from steelsight.sheets.synthetic import synth_spec, write_sheets\n"
        "print('begun')\n"
        "write_sheets(synth_spec(count=8, height=64, width=400), Path(sys.argv[1]), workers=2)\n"
        "print('written', __file__ == sys.argv[0], __spec__)\n"
    )
    command = [sys.executable, str(script), str(tmp_path / "DATA")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.stdout.split(), done.stderr) == (["begun", "written", "True", "None"], "")
    assert len(list((tmp_path / "DATA" / "train_images").iterdir())) == 8


def test_reads_back_as_severstal_layout(folder: Path) -> None:
    sheets = open_data(folder)
    assert sheets.layout == "severstal"
    assert len(sheets.items) == 8
    assert not sheets.rejections
    for index, item in enumerate(sheets.items):
        assert item.types == tuple(draw_sheet(SPEC, index).masks)


def test_masks_survive_and_images_nearly(folder: Path) -> None:
    rows = read_rows(folder / "train.csv")
    assert rows
    for row in rows:
        index = int(row["ImageId"].split("_")[1].split(".")[0])
        drawn = draw_sheet(SPEC, index)
        assert (decode_runs(row["EncodedPixels"], (64, 400)) == drawn.masks[int(row["ClassId"])]).all()
        with Image.open(folder / "train_images" / row["ImageId"]) as image:
            assert image.mode == "L"
            assert np.abs(np.asarray(image, dtype=int) - drawn.gray).mean() < 4


def test_truth_tells_every_nuisance(folder: Path) -> None:
    rows = read_rows(folder / "truth.csv")
    assert tuple(rows[0]) == TRUTH_COLUMNS
    assert [row["ImageId"] for row in rows] == [f"synth_{index:06d}.jpg" for index in range(8)]
    for index, row in enumerate(rows):
        drawn = draw_sheet(SPEC, index)
        stain = decode_runs(row["stain_pixels"], (64, 400))
        assert (stain == drawn.stain).all()
        assert int(row["stain_area_px"]) == stain.sum()
        assert (row["end"], int(row["end_width_px"])) == (drawn.end, drawn.end_width_px)
    assert any(int(row["stain_area_px"]) for row in rows)


def test_recipe_is_kept(folder: Path) -> None:
    assert SynthSpec.model_validate_json((folder / "spec.json").read_text()) == SPEC


def test_refuses_a_folder_with_files(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(
        BadRecipe, match="expected an empty or new folder, found files in it; name another OUT or give"
    ):
        write_sheets(SPEC, tmp_path, workers=1)
    write_sheets(SPEC.model_copy(update={"count": 1}), tmp_path, workers=1, force=True)
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_force_removes_the_earlier_set(tmp_path: Path) -> None:
    out = write_sheets(SPEC.model_copy(update={"count": 3}), tmp_path / "set", workers=1)
    write_sheets(SPEC.model_copy(update={"count": 1}), out, workers=1, force=True)
    assert len(list((out / "train_images").iterdir())) == 1


def test_refuses_a_file_as_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadRecipe, match="expected a folder, found a file"):
        write_sheets(SPEC, tmp_path / "file", workers=1)
