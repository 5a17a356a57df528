"""Judges the sheets of one part: read, decode, ask the engine a batch at a time, decide once for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from steelsight.runtime.bundle.open import Bundle
from steelsight.runtime.drift import gray_statistics
from steelsight.runtime.engine.engine import Engine, Outputs, decide
from steelsight.runtime.engine.reading import DecodedImage, ImageRefused, decode
from steelsight.runtime.scan.answers import PartOutputs, build_table
from steelsight.runtime.scan.parts import PartRows
from steelsight.runtime.scan.sources import PlannedSheet, SourceReader

__all__ = ["PartJudge"]


class PartJudge:
    """A bundle and its engine, ready for parts.

    Every pass has the engine's full batch, filled up with black sheets: a row depends on its sheet alone.
    """

    def __init__(self, bundle: Bundle, engine: Engine, rows: PartRows) -> None:
        self.bundle = bundle
        self.engine = engine
        self.rows = rows
        self._reader = SourceReader()
        spec = bundle.card.input
        self._batch = np.zeros((engine.batch, spec.height, spec.width), dtype=np.uint8)

    def __call__(
        self,
        part: int,
        sheets: Sequence[PlannedSheet],
        *,
        pause: Callable[[], None] = lambda: None,
        extra: Mapping[str, Any] | None = None,
    ) -> pa.Table:
        """The rows of a part.

        pause  called between batches; may raise to end the work
        extra  further columns
        """
        reads: list[DecodedImage] = []
        answers = self._ask(sheets, reads, pause)
        decisions = decide(answers.outputs, self.bundle.card, self.bundle.statistics)
        return build_table(self.rows, part, sheets, reads, answers, decisions, extra or {})

    def warm_up(self) -> None:
        """Compile before the first sheet comes."""
        self.engine(self._batch)

    def close(self) -> None:
        """Let go of open archives."""
        self._reader.close()

    def _ask(
        self, sheets: Sequence[PlannedSheet], reads: list[DecodedImage], pause: Callable[[], None]
    ) -> PartOutputs:
        """Fills `reads`, without their pixels: those are forgotten batch by batch."""
        answers = self._room(len(sheets))
        good: list[int] = []
        waiting = 0
        for place, sheet in enumerate(sheets):
            read = self._read(sheet)
            reads.append(DecodedImage(None, read.size, read.reason, read.detail))
            if read.gray is None:
                continue
            self._batch[waiting] = read.gray
            good.append(place)
            waiting += 1
            if waiting == len(self._batch):
                self._pass(answers, len(good) - waiting, waiting)
                waiting = 0
                pause()
        if waiting:
            self._batch[waiting:] = 0
            self._pass(answers, len(good) - waiting, waiting)
        return answers.only(good)

    def _room(self, n: int) -> PartOutputs:
        card, shape = self.bundle.card, self.rows.maps_shape
        logits, maps, embedding, *gray = (
            np.empty((n, *each), dtype=np.float32)
            for each in (shape[:1], shape, (card.graph.embedding,), (), ())
        )
        return PartOutputs(np.arange(n), Outputs(logits, maps, embedding), *gray)

    def _pass(self, answers: PartOutputs, start: int, count: int) -> None:
        """Ask about the batch; its first `count` answers go to `start` and behind."""
        found, there = self.engine(self._batch), slice(start, start + count)
        answers.outputs.logits[there] = found.logits[:count]
        answers.outputs.maps[there] = found.maps[:count]
        answers.outputs.embedding[there] = found.embedding[:count]
        answers.gray_mean[there], answers.gray_spread[there] = gray_statistics(self._batch[:count])

    def _read(self, sheet: PlannedSheet) -> DecodedImage:
        try:
            return decode(self._reader.read(sheet), sheet.name.rpartition("/")[2], self.bundle.card.input)
        except ImageRefused as error:
            return DecodedImage(None, (0, 0), error.reason, str(error))
