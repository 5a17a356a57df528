"""Open a BUNDLE folder without trusting it: size, checksum and content are checked before an engine runs.

Nothing in a bundle is executable: a graph of known operators, arrays without pickles, and a JSON card.
"""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float32

from steelsight.errors import BadBundle
from steelsight.names import shown_name
from steelsight.reading import read_regular
from steelsight.runtime.bundle.arrays import read_arrays
from steelsight.runtime.bundle.card import BundleCard, FeatureScale
from steelsight.runtime.bundle.default import BUNDLES, bundle_names, named_bundle
from steelsight.runtime.bundle.graph.check import MAX_GRAPH_BYTES, CheckedGraph, check_graph
from steelsight.runtime.bundle.graph.values import FLOAT, UINT8, GraphPort
from steelsight.runtime.bundle.seal import parse_card
from steelsight.sheets.images.pixels import DECODER

__all__ = ["CARD_FILE", "PROBES_FILE", "SIGNATURE_FILE", "Bundle", "FeatureStatistics", "open_bundle"]

CARD_FILE: Final = "card.json"
SIGNATURE_FILE: Final = "card.json.sig"  # optional, of the bytes of card.json
RUN_WEIGHTS: Final = "model.safetensors"  # of a RUN folder; a bundle has none
PROBES_FILE: Final = "probes.npz"  # sheets (m, h, w) uint8 and the source model's outputs for them
MAX_CARD_BYTES: Final = 2**22
_SHOWN_STRANGERS: Final = 5  # names of other files in a note
_OLD_FORMAT: Final = (
    "format 1: its card has no checksum of its own, so changed thresholds or class names go unnoticed; "
    "export it again"
)


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """Mean features of the classes, and the directions in which distances are measured."""

    means: Float32[np.ndarray, "c k"]  # of the embedding, scaled
    whitening: Float32[np.ndarray, "k r"]  # (x - mean) @ whitening has the Mahalanobis length
    scale: FeatureScale = "linear"  # see runtime.familiarity


@dataclass(frozen=True, eq=False)
class Bundle:
    """An opened bundle, whose files are those named in its card."""

    folder: Path
    card: BundleCard
    files: dict[str, bytes]  # every file named in the card; nothing is read again
    statistics: FeatureStatistics | None
    card_text: bytes = b""  # the bytes of card.json, which a signature is of
    notes: tuple[str, ...] = ()  # what a reader of its reports should know
    # Graphs that were checked, each with the bytes it was read from.
    graphs: dict[str, tuple[bytes, CheckedGraph]] = field(default_factory=dict, repr=False)

    @property
    def graph(self) -> bytes:
        """The graph of the card's precision."""
        return self.files[self.card.graph_file]

    def checked_graph(self, name: str) -> CheckedGraph:
        """A graph of the bundle, checked once; raises BadBundle. Engines get nothing but this."""
        content = self.files[name]
        if name not in self.graphs or self.graphs[name][0] is not content:
            self.graphs[name] = content, check_graph(content, str(self.folder / name))
        return self.graphs[name][1]


def open_bundle(folder: Path) -> Bundle:
    """Read and check a whole bundle.

    folder  of the bundle, or the name of a bundle of the package
    raises  BadBundle naming the file and what is wrong: missing, altered, too large, of another format or
            decoder, a graph that does not agree with the card, arrays with objects inside
    """
    folder = named_bundle(folder)
    text = _read_card(folder)
    card = parse_card(text, str(folder / CARD_FILE))
    _check_decoder(card, folder / CARD_FILE)
    files = {name: _read_file(folder / name, fact.size) for name, fact in card.files.items()}
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != card.files[name].sha256:
            raise BadBundle(
                f"{folder / name}: its checksum is not the one in {CARD_FILE}; "
                "the file was altered or damaged, export or copy the bundle again"
            )
    graphs = {name: _read_graph(files[name], card, folder / name) for name in files if name.endswith(".onnx")}
    return Bundle(folder, card, files, _statistics(folder, card, files), text, _notes(folder, card), graphs)


def _notes(folder: Path, card: BundleCard) -> tuple[str, ...]:
    """What an old format lacks, and what lies in the folder without being part of the bundle."""
    known = {CARD_FILE, SIGNATURE_FILE, *card.files}
    try:
        strangers = [entry.name for entry in islice(folder.iterdir(), 1000) if entry.name not in known]
    except OSError:  # a folder that may be entered and not listed
        strangers = []
    notes = [_OLD_FORMAT] if card.format == 1 else []
    if strangers:
        names = ", ".join(shown_name(name)[:80] for name in sorted(strangers)[:_SHOWN_STRANGERS])
        more = len(strangers) - _SHOWN_STRANGERS
        names += f" and {more} more" if more > 0 else ""
        notes.append(f"not part of the bundle and never read: {names}")
    return tuple(notes)


def _read_card(folder: Path) -> bytes:
    if not folder.is_dir():
        raise BadBundle(
            f"{folder}: expected a BUNDLE folder with {CARD_FILE}, found none; check the path, or name a "
            f"bundle of the package: {bundle_names()}"
        )
    if str(folder) in BUNDLES and not (folder / CARD_FILE).exists():
        raise BadBundle(
            f"{folder}: expected a BUNDLE folder with {CARD_FILE}, found none; this folder hides the "
            "package's bundle of that name: rename it, or work in another folder"
        )
    if (folder / RUN_WEIGHTS).is_file():
        raise BadBundle(
            f"{folder}: expected a BUNDLE folder, got a RUN folder; export it first: "
            f"`steelsight export {folder} --data DATA --out BUNDLE`"
        )
    return _read_file(folder / CARD_FILE, None)


def _check_decoder(card: BundleCard, path: Path) -> None:
    if card.input.at_bits(None).decoder != DECODER:
        raise BadBundle(
            f"{path}: made for images decoded by {card.input.decoder!r:.80}, this version has {DECODER!r}; "
            f"use steelsight {card.steelsight_version}, or export again"
        )


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
        return read_regular(path, most_bytes=limit)
    except OSError as error:
        raise BadBundle(
            f"{path}: cannot be read ({error.strerror or error}); export or copy it again"
        ) from error


def _read_graph(content: bytes, card: BundleCard, path: Path) -> tuple[bytes, CheckedGraph]:
    graph = check_graph(content, str(path))
    _check_ports(graph, card, str(path))
    return content, graph


def _check_ports(graph: CheckedGraph, card: BundleCard, where: str) -> None:
    if graph.opset != card.graph.opset:
        raise BadBundle(
            f"{where}: expected opset {card.graph.opset}, as in the card, got {graph.opset}; "
            "card and graph are of different exports, restore both from one"
        )
    expected: dict[str, tuple[int, tuple[int, ...]]] = {
        "images": (UINT8, (card.input.height, card.input.width)),
        **{name: (FLOAT, shape) for name, shape in card.output_shapes.items()},
    }
    came = {port.name: port for port in (*graph.inputs, *graph.outputs)}
    if set(came) != set(expected) or [port.name for port in graph.inputs] != ["images"]:
        raise BadBundle(
            f"{where}: expected input images and outputs {', '.join(card.output_shapes)}, got {sorted(came)}"
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
    return FeatureStatistics(statistics[0], statistics[1], card.familiarity.scale)
