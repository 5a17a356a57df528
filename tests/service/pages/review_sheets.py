"""Generated sheets with the verdicts that the packaged bundle gives of them, in a ledger."""

from functools import cache
from io import BytesIO

from PIL import Image
from tests.service.pages.conftest import draw_of, sheet_of, verdict_of

from steelsight.ledger.chain.entries import LedgerRegion
from steelsight.ledger.writing.writer import open_writer
from steelsight.sheets.synthetic import EVEN_SHARES, SynthSpec, draw_sheet
from steelsight.types import State

SPEC = SynthSpec(seed=5, version=2, count=60, height=128, width=800, class_shares=EVEN_SHARES)


@cache
def defective(inspector, count=5):
    """Image files and verdicts of familiar sheets, each with places that can be covered."""
    found = []
    for index in range(SPEC.count):
        buffer = BytesIO()
        Image.fromarray(draw_sheet(SPEC, index).gray).save(buffer, "PNG")
        verdict = inspector.inspect(buffer.getvalue())
        small = all(_area(each.box) < 0.4 * SPEC.height * SPEC.width for each in verdict.regions)
        if verdict.regions and small and verdict.state is not State.UNKNOWN_INPUT:
            found.append((buffer.getvalue(), verdict))
        if len(found) == count:
            return found
    raise AssertionError("no sheets with a place: choose another seed")


def _area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def judged(service, content, verdict, *, number=0, drawn=False, **changed):
    """A sheet with the verdict that its bundle gives, or a changed one; its identity."""
    model = service.bundles.default.bundle.card
    digest = service.images.put(content)
    seen = sheet_of(number, image_hash=digest, image=digest, width=SPEC.width, height=SPEC.height)
    values = {
        "label": verdict.label,
        "probability": verdict.probability,
        "probabilities": dict(zip(model.class_names, verdict.probabilities.tolist(), strict=True)),
        "regions": tuple(
            LedgerRegion(box=each.box, area_px=each.area_px, score=each.score) for each in verdict.regions
        ),
    }
    entries = [seen, *([draw_of(seen)] if drawn else [])]
    with open_writer(service.ledger, "line-1") as writer:
        writer.append([*entries, verdict_of(seen, model.model_id, **{**values, **changed})])
    return seen.sheet
