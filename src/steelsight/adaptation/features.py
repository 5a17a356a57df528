"""Run a bundle's network once over sheets: its own logits, and the features a new head is fitted to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32

from steelsight.adaptation.graph import OwnClasses, features_graph, map_graph, reorder_places
from steelsight.adaptation.head import AdaptedHead
from steelsight.runtime.bundle.card import BundleCard
from steelsight.runtime.bundle.open import Bundle
from steelsight.runtime.engine.engine import Outputs, open_engine
from steelsight.types import GrayBatch

__all__ = ["GRAPH_FILE", "PooledFeatures", "read_features", "reference_outputs"]

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
    outputs = engine(images)
    return PooledFeatures(outputs.logits, outputs.maps, outputs.embedding.astype(np.float64))


def reference_outputs(bundle: Bundle, head: AdaptedHead, images: GrayBatch, own: OwnClasses) -> Outputs:
    """What a bundle with this head must answer: the head by NumPy in float64 on the bundle's feature map.

    own  the bundle's number of each class of the head, for its place head
    """
    card = bundle.card
    channels = card.graph.embedding
    where = str(bundle.folder / GRAPH_FILE)
    graph = map_graph(bundle.files[GRAPH_FILE], where, grid=card.graph.grid, channels=channels)
    facts = card.graph.model_copy(update={"embedding": 2 * channels, "places": None})
    names = tuple(f"channel {number}" for number in range(channels))
    engine = open_engine(
        _with_graph(bundle, graph, card.model_copy(update={"graph": facts, "class_names": names}))
    )
    places = card.graph.grid[0] * card.graph.grid[1]
    logits, maps, averages = [], [], []
    for start in range(0, len(images), engine.batch):  # a feature map is large: some sheets at a time
        outputs = engine(images[start : start + engine.batch])
        features = outputs.maps.astype(np.float64)  # (n, k, gh, gw)
        pooled = np.concatenate([features.mean((2, 3)), features.max((2, 3))], axis=1)
        logits.append(head.logits(pooled))
        maps.append(np.einsum("nck,nkhw->nchw", head.map_weights(pooled, places), features))
        averages.append(pooled[:, :channels])
    parts = [np.concatenate(each).astype(np.float32) for each in (logits, maps, averages)]
    return Outputs(parts[0], parts[1], parts[2], _reference_places(bundle, images, own))


def _reference_places(
    bundle: Bundle, images: GrayBatch, own: OwnClasses
) -> Float32[np.ndarray, "n c ph pw"] | None:
    """Evidence of the bundle's own place head in the order of the new classes."""
    if bundle.card.graph.places is None:
        return None
    engine = open_engine(_with_graph(bundle, bundle.files[GRAPH_FILE], bundle.card))
    places = engine(images).places
    return None if places is None else reorder_places(places, own)


def _with_graph(bundle: Bundle, graph: bytes, card: BundleCard) -> Bundle:
    """The bundle with another float32 graph."""
    card = card.model_copy(update={"precision": "f32"})
    return replace(bundle, card=card, files=bundle.files | {GRAPH_FILE: graph}, graphs={})
