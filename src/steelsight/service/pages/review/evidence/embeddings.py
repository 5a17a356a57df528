"""Embeddings of stored images by a bundle, computed when they are asked for and kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from jaxtyping import Float32

from steelsight.runtime.engine.inspector import Inspector
from steelsight.service.pages.review.explained import model_input
from steelsight.service.problem import Problem

__all__ = ["Embeddings"]

KEPT: Final = 4000  # embeddings; 512 features each are 8 MB
WAIT_S: Final = 2.0
LASTING: Final = frozenset({"bad_image", "image_pruned"})  # an image that will not be there later

Embedding = Float32[np.ndarray, " k"]
ReadImage = Callable[[str], bytes]


class Embeddings:
    """Embeddings by bundle and SHA-256 of the image file, the last used; safe to share between threads.

    kept    largest number of them
    wait_s  longest wait for another request that computes some
    """

    def __init__(self, kept: int = KEPT, wait_s: float = WAIT_S) -> None:
        self._most, self._wait_s = kept, wait_s
        self._found: OrderedDict[tuple[str, str], Embedding | None] = OrderedDict()
        self._lock = threading.Lock()
        self._computing = threading.Lock()  # one request at a time computes

    def of(
        self, inspector: Inspector, digests: Sequence[str], read: ReadImage, *, most_new: int
    ) -> dict[str, Embedding]:
        """The embeddings of some images, as far as they are known or computed now.

        digests   the SHA-256 of each image file; the first are computed first
        read      the file of one; a Problem = there is none
        most_new  at most so many images are read now; none where another request computes for long
        returns   without images that cannot be read, and without those left for later
        """
        model = inspector.bundle.card.model_id
        found = self._known(model, digests)
        missing = [each for each in dict.fromkeys(digests) if each not in found][:most_new]
        if missing and self._computing.acquire(timeout=self._wait_s):
            try:
                missing = [each for each in missing if each not in self._known(model, missing)]
                for start in range(0, len(missing), inspector.engine.batch):
                    self._compute(inspector, missing[start : start + inspector.engine.batch], read)
            finally:
                self._computing.release()
            found = self._known(model, digests)
        return {digest: value for digest, value in found.items() if value is not None}

    def _known(self, model: str, digests: Sequence[str]) -> dict[str, Embedding | None]:
        with self._lock:
            there = [each for each in dict.fromkeys(digests) if (model, each) in self._found]
            for each in there:
                self._found.move_to_end((model, each))
            return {each: self._found[model, each] for each in there}

    def _compute(self, inspector: Inspector, digests: Sequence[str], read: ReadImage) -> None:
        """Compute one batch of the engine; other requests use it between two batches."""
        inputs, unreadable = dict[str, np.ndarray | None](), set[str]()
        for each in digests:
            try:
                inputs[each] = model_input(inspector, read(each))[0]
            except Problem as problem:
                inputs[each] = None
                if problem.code in LASTING:
                    unreadable.add(each)
        seen = {digest: gray for digest, gray in inputs.items() if gray is not None}
        values: dict[str, Embedding | None] = dict.fromkeys(digests)
        if seen:
            outputs = inspector.engine(np.stack(list(seen.values())))
            values.update(zip(seen, outputs.embedding, strict=True))
        with self._lock:
            for digest, value in values.items():
                if value is None and digest not in unreadable:
                    continue  # it may be there again at the next request
                self._found[inspector.bundle.card.model_id, digest] = value
            while len(self._found) > self._most:
                self._found.popitem(last=False)
