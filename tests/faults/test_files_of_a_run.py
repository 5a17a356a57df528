"""Flipped bits, cut files and pipes in a RUN: refused in words by the verbs that rely on them."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from steelsight.checksums import CHECKSUMS_FILE, UNCHECKED
from steelsight.errors import BadCheckpoint
from steelsight.runs.opening.open import open_run
from steelsight.training.loop.state import load_state
from steelsight.training.recipe import Recipe
from steelsight.training.records import read_logits, read_splits
from steelsight.training.run import load_run, train_run

Copied = Callable[[str], Path]
Flip = Callable[[Path, int], None]
STATE = "progress.safetensors"
READERS: dict[str, Callable[[Path], object]] = {
    "splits.csv": read_splits,
    "predictions.parquet": read_logits,
    "metrics.json": load_run,
    "model.safetensors": load_run,
    "card.json": load_run,
}
PER_FILE = 3  # flipped bits in the tests of `make test`
MANY = 2000  # in those of `make test-long`


def _bits(path: Path, count: int) -> list[int]:
    return random.Random(path.name).sample(range(path.stat().st_size * 8), count)


@pytest.mark.parametrize("name", READERS)
def test_a_flipped_bit_is_refused(name: str, copied: Copied, flip: Flip) -> None:
    run = copied("RUN")
    for bit in _bits(run / name, PER_FILE):
        flip(run / name, bit)
        with pytest.raises(BadCheckpoint, match=name.partition(".")[0]):
            READERS[name](run)
        flip(run / name, bit)
    READERS[name](run)  # whole again


def _fingerprint(run: Path) -> str:
    data = (run / STATE).read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return str(header["__metadata__"]["fingerprint"])


def test_a_flipped_bit_in_the_state_of_a_training_is_refused(copied: Copied, flip: Flip) -> None:
    run = copied("CUT")
    fingerprint = _fingerprint(run)
    load_state(run / STATE, fingerprint)
    for bit in _bits(run / STATE, PER_FILE):
        flip(run / STATE, bit)
        with pytest.raises(BadCheckpoint, match=r"progress\.safetensors"):
            load_state(run / STATE, fingerprint)
        flip(run / STATE, bit)


def test_a_state_without_checksum_is_read_and_says_so(copied: Copied) -> None:
    run = copied("CUT")
    data = (run / STATE).read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    del header["__metadata__"]["checksum"]
    text = json.dumps(header, separators=(",", ":")).encode().ljust(length)
    (run / STATE).write_bytes(data[:8] + text + data[8 + length :])
    assert not load_state(run / STATE, _fingerprint(run)).checked


@pytest.mark.parametrize("rows", [0, 1, 10])
@pytest.mark.parametrize("with_checksums", [True, False])
def test_a_cut_split_is_refused(rows: int, with_checksums: bool, copied: Copied) -> None:
    run = copied("RUN")
    if not with_checksums:  # the sizes of the parts in metrics.json tell it too
        (run / CHECKSUMS_FILE).unlink()
    lines = (run / "splits.csv").read_text().splitlines(keepends=True)
    (run / "splits.csv").write_text("".join(lines[: rows + 1]))
    with pytest.raises(BadCheckpoint, match=r"splits\.csv.*altered or damaged"):
        read_splits(run)


def test_a_run_without_checksums_opens_with_a_note(trained: dict[str, Path], copied: Copied) -> None:
    assert UNCHECKED not in open_run(trained["RUN"], trained["DATA"]).notes("test")
    run = copied("RUN")
    (run / CHECKSUMS_FILE).unlink()
    assert UNCHECKED in open_run(run, trained["DATA"]).notes("test")


@pytest.mark.parametrize("name", [*READERS, CHECKSUMS_FILE])
def test_a_pipe_in_place_of_a_file(name: str, copied: Copied) -> None:
    run = copied("RUN")
    (run / name).unlink()
    os.mkfifo(run / name)
    with pytest.raises(BadCheckpoint):
        READERS.get(name, read_splits)(run)


@pytest.mark.parametrize("name", ["metrics.json", "card.json", CHECKSUMS_FILE])
@pytest.mark.parametrize("text", ["[]", "", "1", "null", "[" * 100_000, '{"a":' * 5000 + "1" + "}" * 5000])
def test_other_json_than_expected(name: str, text: str, copied: Copied) -> None:
    run = copied("RUN")
    if name != CHECKSUMS_FILE:
        (run / CHECKSUMS_FILE).unlink()
    (run / name).write_text(text)
    with pytest.raises(BadCheckpoint):
        READERS.get(name, read_splits)(run)


def test_a_resumed_training_gives_the_same_files(
    trained: dict[str, Path], copied: Copied, recipe: Recipe
) -> None:
    run = copied("CUT")
    train_run(trained["DATA"], recipe=recipe, out=run)
    for name in ("model.safetensors", "splits.csv", "predictions.parquet"):
        assert (run / name).read_bytes() == (trained["RUN"] / name).read_bytes()


@pytest.mark.long
@pytest.mark.parametrize("name", [*READERS, STATE])
def test_many_flipped_bits(
    name: str, copied: Copied, flip: Flip, record_attack: Callable[..., None], tmp_path: Path
) -> None:
    run = copied("CUT" if name == STATE else "RUN")
    whole = shutil.copytree(run, tmp_path / "whole")
    fingerprint = _fingerprint(run) if name == STATE else ""
    read = READERS.get(name, lambda folder: load_state(folder / STATE, fingerprint))
    for bit in random.Random(name).choices(range((run / name).stat().st_size * 8), k=MANY):
        flip(run / name, bit)
        with pytest.raises(BadCheckpoint):
            read(run)
        shutil.copyfile(whole / name, run / name)
    record_attack("lab", f"one flipped bit in {name} of a RUN", MANY, "refused")
