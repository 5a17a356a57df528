"""The plant in Python: `steelsight.load(bundle).inspect(image)`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NoReturn

import numpy as np

from steelsight.argument_types import checked
from steelsight.runtime.bundle.open import Bundle, open_bundle
from steelsight.runtime.engine.engine import Decisions, Engine, Outputs, decide, open_engine
from steelsight.runtime.engine.reading import DecodedImage, read_image, several_images
from steelsight.runtime.engine.regions import find_regions, upsample
from steelsight.runtime.verdict import Verdict, VerdictBatch

__all__ = ["Image", "Inspector", "load"]

Image = Path | str | bytes | np.ndarray  # arrays: gray uint8 (h, w)


class Inspector:
    """An opened bundle with its engine; inspects sheets one by one or as a stream, from any thread."""

    def __init__(self, bundle: Bundle, engine: Engine) -> None:
        self.bundle = bundle
        self.engine = engine

    def __repr__(self) -> str:
        return f"<Inspector: {self.bundle.folder}, {self.bundle.card.model}>"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the model's classes."""
        return self.bundle.card.class_names

    def inspect(self, image: Image) -> Verdict:
        """Inspect one sheet.

        image   a path, the bytes of an image file, or gray uint8 (h, w) of any size
        returns the verdict; that of an unreadable image has the state bad_image, and no error is raised
        """
        return next(self.stream([image]))

    def inspect_batch(self, images: Iterable[Image] | Image, *, heatmaps: bool = True) -> VerdictBatch:
        """Inspect several sheets; the verdicts are in their order.

        images    each as for `inspect`; one path, the bytes of one file or one array (h, w) is one sheet
        heatmaps  False = verdicts without heatmap, which is faster
        raises    BadInput for one image in place of several
        """
        one = isinstance(images, Path | str | bytes) or (isinstance(images, np.ndarray) and images.ndim == 2)
        listed: Iterable[Image] = [images] if one else images  # type: ignore[list-item, assignment]
        return VerdictBatch(tuple(self.stream(listed, heatmaps=heatmaps)))

    def stream(self, images: Iterable[Image], *, heatmaps: bool = True) -> Iterator[Verdict]:
        """Inspect sheets in their order, one batch of the engine at a time.

        heatmaps  False = verdicts without heatmap, which is faster
        """
        waiting = iter(several_images(images))
        while batch := list(islice(waiting, self.engine.batch)):
            reads = [read_image(image, self.bundle.card.input) for image in batch]
            yield from self.inspect_decoded(reads, heatmaps=heatmaps)

    def inspect_decoded(self, reads: list[DecodedImage], *, heatmaps: bool = True) -> list[Verdict]:
        """Inspect images that were read already, in one pass of the engine.

        reads  at most `engine.batch`
        """
        good = [read for read in reads if read.gray is not None]
        verdicts: Iterator[Verdict] = iter(())
        if good:
            outputs = self.engine(np.stack([read.gray for read in good if read.gray is not None]))
            decisions = decide(outputs, self.bundle.card, self.bundle.statistics)
            verdicts = iter(
                [self._verdict(read, outputs, decisions, row, heatmaps) for row, read in enumerate(good)]
            )
        return [next(verdicts) if read.gray is not None else read.refused(self.bundle.card) for read in reads]

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "Inspector: expected to stay in the process that loaded it, got a copy or a pickle of it; "
            "load the bundle again there"
        )

    def _verdict(
        self, read: DecodedImage, outputs: Outputs, decisions: Decisions, row: int, heatmaps: bool
    ) -> Verdict:
        card = self.bundle.card
        size = (card.input.height, card.input.width)
        classes = decisions.classes[row]
        without = range(len(card.class_names)) if card.task == "multilabel" else (0,)
        shown = outputs.maps[row, list(classes or without)].max(axis=0)
        return Verdict(
            label=decisions.labels[row],
            probability=float(decisions.confidence[row]),
            state=decisions.states[row],
            reason=decisions.reasons[row],
            detail="",
            regions=find_regions(outputs.where_of(row, classes), read.placement(card.input), size),
            probabilities=decisions.probabilities[row],
            distance=float(decisions.distance[row]),
            heatmap=upsample(shown, size) if heatmaps else None,
            model_id=card.model_id,
            label_set=tuple(card.class_names[index] for index in decisions.sets[row]),
        )


@checked
def load(bundle: Path | str, *, engine: str = "openvino", threads: int = 0, batch: int = 8) -> Inspector:
    """Open a BUNDLE folder for inspection.

    engine  openvino, or onnxruntime where it is installed
    threads processor threads; 0 = the engine's own choice
    batch   sheets of one pass
    raises  BadBundle where it is incomplete, altered or of another version; BadInput for the options
    """
    opened = open_bundle(Path(bundle))
    return Inspector(opened, open_engine(opened, engine, threads=threads, batch=batch))
