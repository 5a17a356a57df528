"""Scan the sheets of one part: read, decode, run the engine batch by batch, decide for all at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from steelsight.runtime.bundle.open import Bundle
from steelsight.runtime.drift import gray_statistics
from steelsight.runtime.engine.engine import Engine, Outputs, decide
from steelsight.runtime.engine.reading import DecodedImage, ImageRefused, decode
from steelsight.runtime.scan.part_table import PartOutputs, SheetReads, build_table
from steelsight.runtime.scan.parts import PartRows
from steelsight.runtime.scan.sources import PlannedSheet, SourceReader

__all__ = ["PartScanner"]


class PartScanner:
    """Scans parts with a bundle and its engine.

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

        part   its number in the plan
        pause  called between batches; may raise to end the scan
        extra  further columns, one value a sheet
        raises BadInput for outputs with NaN or infinity; BadBundle where the engine refuses the graph
        """
        reads: list[DecodedImage] = []
        outputs = self._run(sheets, reads, pause)
        decisions = decide(outputs.outputs, self.bundle.card, self.bundle.statistics)
        return build_table(self.rows, part, SheetReads(sheets, reads), outputs, decisions, extra or {})

    def warm_up(self) -> None:
        """Compile the graph before the first sheet comes."""
        self.engine(self._batch)

    def close(self) -> None:
        """Close open archives."""
        self._reader.close()

    def _run(
        self, sheets: Sequence[PlannedSheet], reads: list[DecodedImage], pause: Callable[[], None]
    ) -> PartOutputs:
        """Outputs of the readable sheets; fills `reads`, without pixels, which are kept for one batch."""
        self._reader.expect(sheets)
        outputs = self._allocate(len(sheets))
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
                self._run_batch(outputs, len(good) - waiting, waiting)
                waiting = 0
                pause()
        if waiting:
            self._batch[waiting:] = 0
            self._run_batch(outputs, len(good) - waiting, waiting)
        return outputs.only(good)

    def _allocate(self, n: int) -> PartOutputs:
        shapes = (*self.bundle.card.output_shapes.values(), (), ())
        *outputs, mean, spread = (np.empty((n, *shape), dtype=np.float32) for shape in shapes)
        return PartOutputs(np.arange(n), Outputs(*outputs), mean, spread)

    def _run_batch(self, outputs: PartOutputs, start: int, count: int) -> None:
        """Run the batch; write its first `count` rows into the outputs from row `start` on."""
        batch, rows = self.engine(self._batch), slice(start, start + count)
        for name in self.bundle.card.output_shapes:
            getattr(outputs.outputs, name)[rows] = getattr(batch, name)[:count]
        outputs.gray_mean[rows], outputs.gray_spread[rows] = gray_statistics(self._batch[:count])

    def _read(self, sheet: PlannedSheet) -> DecodedImage:
        try:
            return decode(self._reader.read(sheet), sheet.name.rpartition("/")[2], self.bundle.card.input)
        except ImageRefused as error:
            return DecodedImage(None, (0, 0), error.reason, str(error))
