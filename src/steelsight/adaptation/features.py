"""Run a bundle's network once over sheets: its own logits, and the features a new head is fitted to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32

from steelsight.adaptation.graph import OwnClasses, features_graph, map_graph, reorder_places
from steelsight.adaptation.head import AdaptedHead
from steelsight.runtime.bundle.card import BundleCard
from steelsight.runtime.bundle.open import Bundle
from steelsight.runtime.engine.engine import Outputs, open_engine
from steelsight.types import GrayBatch

__all__ = [
    "GRAPH_FILE",
    "PooledFeatures",
    "head_maps",
    "open_features",
    "place_evidence",
    "read_features",
    "reference_outputs",
]

GRAPH_FILE = "model.onnx"  # in float32; INT8's graph has a feature map that is quantised


@dataclass(frozen=True, eq=False)
class PooledFeatures:
    """What the network says of some sheets."""

    logits: Float32[np.ndarray, "n c"]  # of the bundle's own head
    maps: Float32[np.ndarray, "n c gh gw"]  # of the bundle's own head
    pooled: Float[np.ndarray, "n d"]  # averages, then maxima, over places

    @property
    def embedding(self) -> Float[np.ndarray, "n k"]:
        """The averages alone, as the bundle's output `embedding`."""
        return self.pooled[:, : self.pooled.shape[1] // 2]


def read_features(bundle: Bundle, images: GrayBatch) -> PooledFeatures:
    """Features in float32, whatever the bundle's precision.

    images  (n, h, w) gray uint8 of the bundle's input size
    raises  BadBundle where the graph has no feature map behind its embedding
    """
    return open_features(bundle)(images)


def open_features(bundle: Bundle) -> Callable[[GrayBatch], PooledFeatures]:
    """As `read_features` with the network opened once, for several calls."""
    card = bundle.card
    graph = features_graph(
        bundle.files[GRAPH_FILE],
        str(bundle.folder / GRAPH_FILE),
        classes=len(card.class_names),
        grid=card.graph.grid,
        channels=card.graph.embedding,
    )
    facts = card.graph.model_copy(update={"embedding": 2 * card.graph.embedding, "places": None})
    engine = open_engine(_with_graph(bundle, graph, card.model_copy(update={"graph": facts})))

    def read(images: GrayBatch) -> PooledFeatures:
        outputs = engine(images)
        return PooledFeatures(outputs.logits, outputs.maps, outputs.embedding.astype(np.float64))

    return read


def reference_outputs(bundle: Bundle, head: AdaptedHead, images: GrayBatch, own: OwnClasses) -> Outputs:
    """What a bundle with this head must answer: the head by NumPy in float64 on the bundle's feature map.

    own  the bundle's number of each class of the head, for its place head
    """
    grid = bundle.card.graph.grid
    logits, maps, averages = [], [], []
    for features in _feature_maps(bundle, images):
        pooled = _pooled(features)
        logits.append(head.logits(pooled))
        weights = head.map_weights(pooled, grid[0] * grid[1])
        maps.append(np.einsum("nck,nkhw->nchw", weights, features))
        averages.append(pooled[:, : features.shape[1]])
    parts = [np.concatenate(each).astype(np.float32) for each in (logits, maps, averages)]
    evidence = place_evidence(bundle, images)
    return Outputs(parts[0], parts[1], parts[2], None if evidence is None else reorder_places(evidence, own))


def head_maps(
    bundle: Bundle, heads: Sequence[AdaptedHead], images: GrayBatch
) -> Float[np.ndarray, "n c gh gw"]:
    """Signed Grad-CAM of every class, each sheet by a head of its own.

    heads  one a sheet
    """
    places = bundle.card.graph.grid[0] * bundle.card.graph.grid[1]
    maps: list[Float[np.ndarray, "c gh gw"]] = []
    for features in _feature_maps(bundle, images):
        pooled = _pooled(features)
        for row, feature in enumerate(features):
            weights = heads[len(maps)].map_weights(pooled[row : row + 1], places)[0]
            maps.append(np.einsum("ck,khw->chw", weights, feature))
    return np.stack(maps)


def place_evidence(bundle: Bundle, images: GrayBatch) -> Float32[np.ndarray, "n c ph pw"] | None:
    """Evidence of the bundle's own place head for its own classes; None = it has none."""
    if bundle.card.graph.places is None:
        return None
    engine = open_engine(_with_graph(bundle, bundle.files[GRAPH_FILE], bundle.card))
    return engine(images).places


def _feature_maps(bundle: Bundle, images: GrayBatch) -> Iterator[Float[np.ndarray, "m k gh gw"]]:
    """The last feature map in float64, some sheets at a time, for it is large."""
    card = bundle.card
    channels = card.graph.embedding
    where = str(bundle.folder / GRAPH_FILE)
    graph = map_graph(bundle.files[GRAPH_FILE], where, grid=card.graph.grid, channels=channels)
    facts = card.graph.model_copy(update={"embedding": 2 * channels, "places": None})
    names = tuple(f"channel {number}" for number in range(channels))
    engine = open_engine(
        _with_graph(bundle, graph, card.model_copy(update={"graph": facts, "class_names": names}))
    )
    for start in range(0, len(images), engine.batch):
        yield engine(images[start : start + engine.batch]).maps.astype(np.float64)


def _pooled(features: Float[np.ndarray, "m k gh gw"]) -> Float[np.ndarray, "m d"]:
    """Averages, then maxima, over places."""
    pooled: Float[np.ndarray, "m d"] = np.concatenate([features.mean((2, 3)), features.max((2, 3))], axis=1)
    return pooled


def _with_graph(bundle: Bundle, graph: bytes, card: BundleCard) -> Bundle:
    """The bundle with another float32 graph."""
    card = card.model_copy(update={"precision": "f32"})
    return replace(bundle, card=card, files=bundle.files | {GRAPH_FILE: graph}, graphs={})
