"""Bundles that are whole, and every way in which they are not."""

from __future__ import annotations

import errno
import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from steelsight.errors import BadBundle, BadOutput
from steelsight.files import pack_arrays
from steelsight.runtime.bundle.arrays import read_arrays
from steelsight.runtime.bundle.card import BundleCard
from steelsight.runtime.bundle.graph.check import check_graph
from steelsight.runtime.bundle.graph.operators import OPERATORS
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.bundle.seal import seal, write_card
from steelsight.runtime.bundle.writer import describe_files, write_bundle

Make = Callable[..., Path]
OTHER = {"threshold": 0.5, "threshold_by": "cost"}


def _rewrite(folder: Path, files: dict[str, bytes]) -> None:
    """Put other files into a bundle and make the card's checksums fit them."""
    card = json.loads((folder / "card.json").read_text())
    for name, content in files.items():
        (folder / name).write_bytes(content)
    facts = describe_files(files)
    card["files"] |= {name: fact.model_dump() for name, fact in facts.items()}
    (folder / "card.json").write_bytes(write_card(seal(BundleCard.model_validate(card))))


def _seal_anew(folder: Path, **change: object) -> None:
    """Change a card as one who knows the format would: with an id that fits."""
    card = json.loads((folder / "card.json").read_text()) | change
    (folder / "card.json").write_bytes(write_card(seal(BundleCard.model_validate(card))))


def test_an_opened_bundle_agrees_with_its_card(make_bundle: Make) -> None:
    bundle = open_bundle(make_bundle())
    assert bundle.card.class_names == ("none", "type 1", "type 2")
    assert bundle.statistics is not None
    assert bundle.statistics.means.shape == (3, 384)
    assert bundle.graph == (bundle.folder / "model.onnx").read_bytes()


def test_an_altered_file_is_refused(make_bundle: Make) -> None:
    folder = make_bundle()
    content = bytearray((folder / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.onnx").write_bytes(content)
    with pytest.raises(BadBundle, match=r"model.onnx: its checksum is not the one in card.json"):
        open_bundle(folder)
    (folder / "model.onnx").write_bytes(bytes(content[:-1]))
    with pytest.raises(BadBundle, match=r"expected \d+ bytes, got \d+"):
        open_bundle(folder)
    (folder / "model.onnx").unlink()
    with pytest.raises(BadBundle, match=r"model.onnx: cannot be read"):
        open_bundle(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 3}, "expected bundle format 1 or 2, got 3"),
        ({"threshold": 1.5}, "threshold: Input should be less than or equal to 1"),
        ({"temperature": 0}, "temperature: Input should be greater than or equal to 0.01"),
        ({"temperature": 1e-300}, "temperature: Input should be greater than or equal to 0.01"),
        (
            {"threshold_by": "certificate"},
            "threshold: expected a number, because",
        ),
        ({"threshold_by": "certificate", "threshold": 0.9}, "expected what is certified, got nothing"),
        ({"class_names": ["a", "b\n", "c"]}, "expected text without control characters"),
        ({"model_id": "0" * 32}, "model_id: expected [0-9a-f]{32}, the checksum of what it names, got 0+;"),
        ({"temperature": 2.0}, "model_id: expected .* the card was altered or damaged"),
        ({"input": {"height": 0, "width": 96}}, "expected sides of 1 to 65536 px, got 0 x 96"),
        ({"class_names": ["a", "a", "b"]}, "expected distinct names"),
        ({"files": {}}, "expected model.onnx for precision f32, found none"),
        ({"extra": 1}, "Extra inputs are not permitted"),
    ],
)
def test_a_card_that_contradicts_itself_or_the_graph_is_refused(
    make_bundle: Make, change: dict[str, object], message: str
) -> None:
    folder = make_bundle()
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | change))
    with pytest.raises(BadBundle, match=message):
        open_bundle(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"graph": {"opset": 17, "grid": [3, 5], "embedding": 7}},
            "embedding: expected .7. a sheet, as in the card",
        ),
        ({"graph": {"opset": 17, "grid": [5, 3], "embedding": 384}}, "maps: expected"),
        (
            {"graph": {"opset": 18, "grid": [3, 5], "embedding": 384}},
            "expected opset 18, as in the card",
        ),
        ({"class_names": ["a", "b"]}, "logits: expected"),
    ],
)
def test_a_card_that_contradicts_its_graph_is_refused(
    make_bundle: Make, change: dict[str, object], message: str
) -> None:
    folder = make_bundle()
    _seal_anew(folder, **change)
    with pytest.raises(BadBundle, match=message):
        open_bundle(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"format": 1}', "\0" * 40, "[" * 100_000])
def test_a_file_that_is_not_a_card_is_refused(make_bundle: Make, text: str) -> None:
    folder = make_bundle()
    (folder / "card.json").write_text(text)
    with pytest.raises(BadBundle, match=r"card.json"):
        open_bundle(folder)


def test_another_image_decoder_is_refused(make_bundle: Make) -> None:
    folder = make_bundle()
    card = json.loads((folder / "card.json").read_text())
    _seal_anew(folder, input=card["input"] | {"decoder": "other/2"})
    with pytest.raises(BadBundle, match="made for images decoded by 'other/2'"):
        open_bundle(folder)


def test_files_outside_the_bundle_are_never_read(make_bundle: Make, tmp_path: Path) -> None:
    folder = make_bundle()
    card = json.loads((folder / "card.json").read_text())
    outside = tmp_path / "secret"
    outside.write_bytes(b"x")
    fact = describe_files({"f": b"x"})["f"].model_dump()
    (folder / "card.json").write_text(json.dumps(card | {"files": card["files"] | {"../secret": fact}}))
    with pytest.raises(BadBundle, match=r"expected plain names inside the bundle, got '\.\./secret'"):
        open_bundle(folder)
    (folder / "card.json").write_text(json.dumps(card))
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").symlink_to(outside)
    with pytest.raises(BadBundle, match="links and devices are not followed"):
        open_bundle(folder)
    with pytest.raises(BadBundle, match="expected a BUNDLE folder"):
        open_bundle(outside)


def _model(*nodes: onnx.NodeProto, **more: object) -> bytes:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 64, 96])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])],
        **more,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("evil", 1)][: 1 + (more == {})]
    return bytes(helper.make_model(graph, opset_imports=opsets).SerializeToString())


def test_graphs_with_features_that_exports_do_not_use_are_refused(make_bundle: Make) -> None:
    identity = helper.make_node("Identity", ["images"], ["logits"])
    custom = helper.make_node("Shell", ["images"], ["logits"], domain="evil")
    loop = helper.make_node("Loop", ["images"], ["logits"])
    inner = helper.make_graph([identity], "inner", [], [])
    branch = helper.make_node("Identity", ["images"], ["logits"], then_branch=inner)
    outside = helper.make_tensor("w", TensorProto.FLOAT, [1], [0.0])
    outside.ClearField("float_data")
    outside.data_location = TensorProto.EXTERNAL
    entry = outside.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    for content, message in (
        (_model(identity), "custom operators of 'evil'"),
        (_model(custom, doc_string=""), "custom operators of 'evil'"),
        (_model(loop, doc_string=""), "operators Loop are not run"),
        (_model(branch, doc_string=""), "subgraphs are never run"),
        (_model(identity, initializer=[outside]), "weights in other files are never read"),
        (b"", "a message without a graph"),
        (b"PK\x03\x04 not a graph", "expected an ONNX graph"),
    ):
        with pytest.raises(BadBundle, match=message):
            check_graph(content, "model.onnx")
    folder = make_bundle()
    _rewrite(folder, {"model.onnx": _model(identity, doc_string="")})
    with pytest.raises(BadBundle, match="expected input images and outputs logits, maps, embedding"):
        open_bundle(folder)


def test_graphs_with_changed_bytes_are_refused_or_read(graph_bytes: bytes) -> None:
    read = 0
    for case in range(150):
        rng = random.Random(case)
        content = bytearray(graph_bytes)
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(400) if rng.random() < 0.5 else rng.randrange(len(content))
            content[at] = rng.randrange(256)
        try:
            graph = check_graph(bytes(content[: rng.choice([None, None, rng.randrange(len(content))])]), "g")
        except BadBundle:  # any other error fails the test
            continue
        assert {node.operator for node in graph.nodes} <= OPERATORS.keys()
        read += 1
    assert read > 5


def test_arrays_with_objects_or_of_excessive_size_are_refused(make_bundle: Make) -> None:
    folder = make_bundle()
    good = {"means": np.zeros((3, 384), np.float32), "whitening": np.eye(384, dtype=np.float32)}
    for arrays, message in (
        ({"means": good["means"]}, "whitening: expected float32 with 384 features, got nothing"),
        (good | {"means": np.zeros((3, 5), np.float32)}, r"got float32 of shape \(3, 5\)"),
        (good | {"means": np.full((3, 384), np.nan, np.float32)}, "means: expected finite numbers"),
        (good | {"means": np.zeros((3, 384))}, "got float64"),
    ):
        _rewrite(folder, {"familiarity.npz": pack_arrays(arrays)})
        with pytest.raises(BadBundle, match=message):
            open_bundle(folder)
    _rewrite(folder, {"familiarity.npz": b"\x80\x04 a pickle"})
    with pytest.raises(BadBundle, match="expected arrays without objects"):
        open_bundle(folder)
    with pytest.raises(BadBundle, match="bytes unpacked, more than the 32 arrays and 1000 bytes allowed"):
        read_arrays(pack_arrays({"a": np.zeros(10_000)}), "probes.npz", most=1000)


def test_writing_replaces_a_bundle_but_no_other_folder(make_bundle: Make, tmp_path: Path) -> None:
    folder = make_bundle()
    bundle = open_bundle(folder)
    write_bundle(folder, bundle.card.model_copy(update=OTHER), bundle.files)
    assert open_bundle(folder).card.threshold == 0.5
    other = tmp_path / "photos"
    other.mkdir()
    (other / "sheet.jpg").write_bytes(b"x")
    with pytest.raises(BadOutput, match="found other files"):
        write_bundle(other, bundle.card, bundle.files)
    broken = BundleCard.model_validate(
        bundle.card.model_dump() | {"graph": {"opset": 17, "grid": (1, 1), "embedding": 2}}
    )
    with pytest.raises(BadBundle, match=r"maps: expected \[3, 1, 1\] a sheet, as in the card"):
        write_bundle(tmp_path / "new", broken, bundle.files)
    assert not (tmp_path / "new").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_run_and_a_bundle_with_other_files_are_not_replaced(make_bundle: Make, tmp_path: Path) -> None:
    folder = make_bundle()
    bundle = open_bundle(folder)
    run = tmp_path / "run"
    run.mkdir()
    (run / "card.json").write_text('{"format": 1, "task": "binary"}')
    (folder / "notes.txt").write_text("mine")
    for kept in (run, folder):
        before = sorted(path.name for path in kept.iterdir())
        with pytest.raises(BadOutput, match="no other files, found other files"):
            write_bundle(kept, bundle.card, bundle.files)
        assert sorted(path.name for path in kept.iterdir()) == before


def test_a_full_disk_keeps_the_earlier_bundle(
    make_bundle: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_bundle()
    bundle = open_bundle(folder)
    beside = sorted(path.name for path in folder.parent.iterdir())

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadOutput, match="No space left on device"):
        write_bundle(folder, bundle.card.model_copy(update=OTHER), bundle.files)
    assert open_bundle(folder).card == bundle.card
    assert sorted(path.name for path in folder.parent.iterdir()) == beside


def test_the_same_arrays_pack_to_the_same_bytes() -> None:
    arrays = {"b": np.arange(5), "a": np.eye(3)}
    assert pack_arrays(arrays) == pack_arrays(dict(reversed(arrays.items())))


def test_a_run_is_not_a_bundle(make_bundle: Make) -> None:
    folder = make_bundle()
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(
        BadBundle, match=r"got a RUN folder; export it first: `steelsight export .* --data DATA"
    ):
        open_bundle(folder)
