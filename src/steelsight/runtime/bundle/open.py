"""Open a BUNDLE folder without trusting it: size, checksum and content are checked before an engine runs.

Nothing in a bundle is executable: a graph of known operators, arrays without pickles, and a JSON card.
"""

from __future__ import annotations

import hashlib
import io
import json
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float32
from pydantic import ValidationError

from steelsight.errors import BadBundle
from steelsight.runtime.bundle.card import BUNDLE_FORMAT, BundleCard
from steelsight.runtime.bundle.graph import MAX_GRAPH_BYTES, GraphPort, summarise_graph
from steelsight.sheets.images.pixels import DECODER

__all__ = ["CARD_FILE", "PROBES_FILE", "Bundle", "FeatureStatistics", "open_bundle", "read_arrays"]

CARD_FILE: Final = "card.json"
RUN_WEIGHTS: Final = "model.safetensors"  # of a RUN folder; a bundle has none
PROBES_FILE: Final = "probes.npz"  # sheets (m, h, w) uint8 and the source model's outputs for them
MAX_CARD_BYTES: Final = 2**22
MAX_ARRAY_BYTES: Final = 2**27  # of one array file, unpacked
UINT8, FLOAT32 = 2, 1  # onnx.TensorProto.DataType


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """Mean embeddings of the classes, and the directions in which distances are measured."""

    means: Float32[np.ndarray, "c k"]
    whitening: Float32[np.ndarray, "k r"]  # (x - mean) @ whitening has the Mahalanobis length


@dataclass(frozen=True, eq=False)
class Bundle:
    """An opened bundle, whose files are those named in its card."""

    folder: Path
    card: BundleCard
    files: dict[str, bytes]  # every file named in the card; nothing is read again
    statistics: FeatureStatistics | None

    @property
    def graph(self) -> bytes:
        """The graph of the card's precision."""
        return self.files[self.card.graph_file]


def open_bundle(folder: Path) -> Bundle:
    """Read and check a whole bundle.

    raises  BadBundle naming the file and what is wrong: missing, altered, too large, of another format or
            decoder, a graph that does not agree with the card, arrays with objects inside
    """
    card = _read_card(folder)
    files = {name: _read_file(folder / name, fact.size) for name, fact in card.files.items()}
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != card.files[name].sha256:
            raise BadBundle(
                f"{folder / name}: its checksum is not the one in {CARD_FILE}; "
                "the file was altered or damaged, export or copy the bundle again"
            )
        if name.endswith(".onnx"):
            _check_graph(content, card, str(folder / name))
    return Bundle(folder, card, files, _statistics(folder, card, files))


def read_arrays(content: bytes, where: str) -> dict[str, np.ndarray]:
    """Arrays of the bytes of an .npz, without pickles and within MAX_ARRAY_BYTES.

    where   name of the file in messages
    raises  BadBundle
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        arrays = _unpack(content) if unpacked <= MAX_ARRAY_BYTES else None
    except Exception as error:  # zipfile, zlib, NumPy's header parser and its tokenizer have no common root
        raise BadBundle(f"{where}: expected arrays without objects, got {error}; export it again") from error
    if arrays is None:
        raise BadBundle(f"{where}: {unpacked} bytes unpacked, more than the {MAX_ARRAY_BYTES} allowed")
    return arrays


def _unpack(content: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _read_card(folder: Path) -> BundleCard:
    path = folder / CARD_FILE
    if not folder.is_dir():
        raise BadBundle(f"{folder}: expected a BUNDLE folder with {CARD_FILE}, found none; check the path")
    if (folder / RUN_WEIGHTS).is_file():
        raise BadBundle(
            f"{folder}: expected a BUNDLE folder, got a RUN folder; export it first: "
            f"`steelsight export {folder} --data DATA --out BUNDLE`"
        )
    text = _read_file(path, None)
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadBundle(f"{path}: expected JSON, got {error}; export the bundle again") from error
    if not isinstance(raw, dict) or raw.get("format") != BUNDLE_FORMAT:
        came = raw.get("format") if isinstance(raw, dict) else type(raw).__name__
        raise BadBundle(
            f"{path}: expected bundle format {BUNDLE_FORMAT}, got {came!r:.80}; "
            "use the steelsight version that wrote it"
        )
    try:
        card = BundleCard.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        raise BadBundle(f"{path}: {where}: {first['msg']}; export the bundle again") from error
    if card.input.at_bits(None).decoder != DECODER:
        raise BadBundle(
            f"{path}: made for images decoded by {card.input.decoder!r:.80}, this version has {DECODER!r}; "
            f"use steelsight {card.steelsight_version}, or export again"
        )
    return card


def _read_file(path: Path, size: int | None) -> bytes:
    """The bytes of a regular file of exactly this size; None = of a card, whose size is not known."""
    limit = MAX_CARD_BYTES if size is None else MAX_GRAPH_BYTES
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise BadBundle(f"{path}: expected a regular file; links and devices are not followed")
        if status.st_size > limit:
            raise BadBundle(f"{path}: {status.st_size} bytes, more than the {limit} allowed")
        if size is not None and status.st_size != size:
            raise BadBundle(
                f"{path}: expected {size} bytes, got {status.st_size}; export or copy the bundle again"
            )
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise BadBundle(
            f"{path}: cannot be read ({error.strerror or error}); export or copy it again"
        ) from error


def _check_graph(content: bytes, card: BundleCard, where: str) -> None:
    graph = summarise_graph(content, where)
    height, width = card.input.height, card.input.width
    classes, (grid_h, grid_w) = len(card.class_names), card.graph.grid
    expected = {
        "images": (UINT8, (height, width)),
        "logits": (FLOAT32, (classes,)),
        "maps": (FLOAT32, (classes, grid_h, grid_w)),
        "embedding": (FLOAT32, (card.graph.embedding,)),
    }
    came = {port.name: port for port in (*graph.inputs, *graph.outputs)}
    if set(came) != set(expected) or [port.name for port in graph.inputs] != ["images"]:
        raise BadBundle(
            f"{where}: expected input images and outputs logits, maps, embedding, got {sorted(came)}"
        )
    for name, (dtype, shape) in expected.items():
        if not _fits(came[name], dtype, shape):
            raise BadBundle(
                f"{where}: {name}: expected {list(shape)} a sheet, as in the card, "
                f"got {list(came[name].shape)}; "
                "card and graph are of different exports, restore both from one"
            )


def _fits(port: GraphPort, dtype: int, shape: tuple[int, ...]) -> bool:
    return port.dtype == dtype and len(port.shape) == len(shape) + 1 and port.shape[1:] == shape


def _statistics(folder: Path, card: BundleCard, files: dict[str, bytes]) -> FeatureStatistics | None:
    if card.familiarity is None:
        return None
    where = str(folder / card.familiarity.file)
    arrays = read_arrays(files[card.familiarity.file], where)
    width = card.graph.embedding
    statistics = []
    for name, axis in (("means", 1), ("whitening", 0)):
        array = arrays.get(name)
        if array is None or array.ndim != 2 or array.shape[axis] != width or array.dtype != np.float32:
            came = "nothing" if array is None else f"{array.dtype} of shape {array.shape}"
            raise BadBundle(f"{where}: {name}: expected float32 with {width} features, got {came}")
        if not array.size or not np.isfinite(array).all():
            raise BadBundle(f"{where}: {name}: expected finite numbers; export it again")
        statistics.append(array)
    return FeatureStatistics(*statistics)
