"""Mutated images and bundles, thousands of them: each gives a verdict or a refusal, within a time limit."""

from __future__ import annotations

import io
import random
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import steelsight
from steelsight.errors import BadBundle
from steelsight.runtime.bundle.open import Bundle, open_bundle
from steelsight.runtime.bundle.seal import parse_card, seal, write_card
from steelsight.runtime.bundle.writer import describe_files
from steelsight.runtime.engine.engine import open_engine
from steelsight.runtime.engine.inspector import Inspector
from steelsight.types import State

pytestmark = pytest.mark.long

Make = Callable[..., Path]
CARDS = 1500
PATIENCE_S = 10.0  # of processor time, for one case: a hang, not a busy machine
MEMORY_MB = 1500  # that thousands of cases may add to the process


def _seeds() -> list[bytes]:
    """One sheet in every format there is, and in odd modes."""
    rng = np.random.default_rng(0)
    gray = Image.fromarray(rng.integers(0, 256, (64, 100), dtype=np.uint8))
    wide = Image.fromarray(rng.integers(0, 65536, (64, 100), dtype=np.uint16))
    found = []
    for image, kind, more in (
        (gray, "JPEG", {}),
        (gray, "JPEG", {"progressive": True}),
        (
            gray.convert("RGB"),
            "JPEG",
            {"exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"},
        ),
        (gray, "PNG", {}),
        (wide, "PNG", {}),
        (gray.convert("P"), "PNG", {}),
        (gray.convert("RGBA"), "PNG", {}),
        (gray, "BMP", {}),
        (gray, "TIFF", {}),
        (gray, "TIFF", {"compression": "tiff_lzw"}),
        (gray, "GIF", {}),
        (gray.convert("RGB"), "WEBP", {}),
        (gray, "PPM", {}),
    ):
        packed = io.BytesIO()
        image.save(packed, kind, **more)
        found.append(packed.getvalue())
    return found


def _mutate(content: bytes, rng: random.Random) -> bytes:
    """Flip, cut, insert, repeat or splice, mostly near the start, where structure is."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(min(len(data), 200)) if rng.random() < 0.6 else rng.randrange(len(data))
        match rng.randrange(6):
            case 0 | 1:
                data[at] = rng.randrange(256)
            case 2:
                data[at] ^= 1 << rng.randrange(8)
            case 3:
                del data[at + 1 :]
            case 4:
                data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 8)))
            case 5:
                data[at : at + 4] = rng.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\0\0\xff\xff"])
    return bytes(data)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_mutated_images_are_verdicts(make_bundle: Make, record_attack: Callable[..., None]) -> None:
    inspector = steelsight.load(make_bundle(), threads=1, batch=1)
    seeds = _seeds()
    assert all(inspector.inspect(seed).state != State.BAD_IMAGE for seed in seeds)
    before, counts = _peak_mb(), dict.fromkeys(State, 0)
    for case in range(6000):
        rng = random.Random(case)
        start = time.process_time()
        verdict = inspector.inspect(_mutate(rng.choice(seeds), rng))
        assert time.process_time() - start < PATIENCE_S, f"case {case}"
        assert (verdict.state == State.BAD_IMAGE) == bool(verdict.detail), f"case {case}"
        counts[verdict.state] += 1
    assert counts[State.BAD_IMAGE] > 1000
    assert counts[State.DECIDED] > 500
    assert _peak_mb() - before < MEMORY_MB
    outcome = f"{counts[State.BAD_IMAGE]:,} refused with a reason, the others given a verdict; 0 errors"
    record_attack(
        "images", "bytes flipped, cut, inserted or spliced, 13 formats", sum(counts.values()), outcome
    )


def test_mutated_graphs_run_or_are_refused(make_bundle: Make, record_attack: Callable[..., None]) -> None:
    bundle = open_bundle(make_bundle())
    graph, sheet = bundle.files["model.onnx"], np.zeros((1, 64, 96), dtype=np.uint8)
    refused = ran = 0
    for case in range(1500):
        rng = random.Random(case)
        start = time.process_time()
        content = _mutate(graph, rng)
        try:
            altered = Bundle(
                bundle.folder, bundle.card, {**bundle.files, "model.onnx": content}, bundle.statistics
            )
            Inspector(altered, open_engine(altered, threads=1, batch=1)).engine(sheet)
            ran += 1
        except BadBundle:
            refused += 1
        assert time.process_time() - start < PATIENCE_S, f"case {case}"
    assert refused > 500
    assert ran > 20
    outcome = f"{refused:,} refused, {ran:,} run with outputs of the card's shapes; 0 errors, 0 hangs"
    record_attack("bundles", "graph: bytes flipped, cut, inserted or spliced", refused + ran, outcome)


def test_mutated_cards_and_arrays_are_refused_or_read(
    make_bundle: Make, record_attack: Callable[..., None]
) -> None:
    folder = make_bundle()
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    card = open_bundle(folder).card
    refused = 0
    for case in range(CARDS):
        rng = random.Random(case)
        name = rng.choice(["card.json", "familiarity.npz"])
        content = _mutate(whole[name], rng)
        (folder / name).write_bytes(content)
        if name != "card.json":  # as an attacker would: checksums that fit
            files = {key: value for key, value in whole.items() if key != "card.json"} | {name: content}
            fitting = card.model_copy(update={"files": describe_files(files) if content else card.files})
            (folder / "card.json").write_bytes(write_card(seal(fitting)))
        try:
            assert open_bundle(folder).card == card or name != "card.json", f"case {case}"
        except BadBundle:
            refused += 1
        for key, value in whole.items():
            (folder / key).write_bytes(value)
    assert refused > 700
    outcome = f"{refused:,} refused, the others read; 0 cards with changed content accepted, 0 errors"
    record_attack("bundles", "card and arrays: bytes flipped, cut, inserted or spliced", CARDS, outcome)


def test_flipped_bits_of_a_card_are_refused_or_change_nothing(
    make_bundle: Make, record_attack: Callable[..., None]
) -> None:
    folder = make_bundle(threshold=0.9, threshold_by="cost", source={"run": "r", "seed": 7})
    text, card = (folder / "card.json").read_bytes(), open_bundle(folder).card
    refused = 0
    for bit in range(8 * len(text)):
        flipped = bytearray(text)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            assert parse_card(bytes(flipped), "card.json") == card, f"bit {bit}"
        except BadBundle:
            refused += 1
    outcome = f"{refused:,} refused, the others change nothing; 0 cards with changed content accepted"
    record_attack("bundles", "card: every bit flipped", 8 * len(text), outcome)
