"""The plant in Python: `steelsight.load(bundle).inspect(image)`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from steelsight.runtime.bundle.open import Bundle, open_bundle
from steelsight.runtime.engine.engine import Decisions, Engine, Outputs, decide, open_engine
from steelsight.runtime.engine.reading import DecodedImage, read_image
from steelsight.runtime.engine.regions import find_regions, upsample
from steelsight.runtime.verdict import Verdict

__all__ = ["Image", "Inspector", "load"]

Image = Path | str | bytes | np.ndarray  # arrays: gray uint8 (h, w)


class Inspector:
    """A bundle ready to judge: open it once, ask it as often as wanted, from any thread."""

    def __init__(self, bundle: Bundle, engine: Engine) -> None:
        self.bundle = bundle
        self.engine = engine

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes the model tells apart."""
        return self.bundle.card.class_names

    def inspect(self, image: Image) -> Verdict:
        """Judge one sheet.

        image   a path, the bytes of an image file, or gray uint8 (h, w) of any size
        returns a verdict; an unreadable image is one too, in state bad_image, never an exception
        """
        return next(self.stream([image]))

    def stream(self, images: Iterable[Image], *, heatmaps: bool = True) -> Iterator[Verdict]:
        """Judge sheets as they come, in their order, a batch of the engine's at a time."""
        waiting = iter(images)
        while some := list(islice(waiting, self.engine.batch)):
            yield from self._judge([read_image(image, self.bundle.card.input) for image in some], heatmaps)

    def _judge(self, read: list[DecodedImage], heatmaps: bool) -> list[Verdict]:
        good = [each for each in read if each.gray is not None]
        verdicts: Iterator[Verdict] = iter(())
        if good:
            outputs = self.engine(np.stack([each.gray for each in good if each.gray is not None]))
            decisions = decide(outputs, self.bundle.card, self.bundle.statistics)
            verdicts = iter(
                [self._tell(each, outputs, decisions, row, heatmaps) for row, each in enumerate(good)]
            )
        return [next(verdicts) if each.gray is not None else each.refused(self.bundle.card) for each in read]

    def _tell(
        self, read: DecodedImage, outputs: Outputs, decisions: Decisions, row: int, heatmaps: bool
    ) -> Verdict:
        card = self.bundle.card
        size = (card.input.height, card.input.width)
        kinds = decisions.classes[row]
        maps = [outputs.maps[row, kind] for kind in kinds]
        alone = range(len(card.class_names)) if card.task == "multilabel" else (0,)
        shown = outputs.maps[row, list(kinds or alone)].max(axis=0)
        return Verdict(
            label=decisions.labels[row],
            probability=float(decisions.confidence[row]),
            state=decisions.states[row],
            reason=decisions.reasons[row],
            detail="",
            regions=find_regions(maps, read.placement(card.input), size),
            probabilities=decisions.probabilities[row],
            distance=float(decisions.distance[row]),
            heatmap=upsample(shown, size) if heatmaps else None,
            model_id=card.model_id,
        )


def load(bundle: Path | str, *, engine: str = "openvino", threads: int = 0, batch: int = 8) -> Inspector:
    """Open a BUNDLE folder for inspection.

    engine  openvino, or onnxruntime where it is installed
    threads processor threads; 0 = the engine's own choice
    raises  BadBundle where it is incomplete, altered or of another version; BadInput for the options
    """
    opened = open_bundle(Path(bundle))
    return Inspector(opened, open_engine(opened, engine, threads=threads, batch=batch))
