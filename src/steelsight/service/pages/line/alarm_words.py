"""What an alarm says, in the language of the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steelsight.service.pages.words import Words

__all__ = ["condition_words"]


def condition_words(words: Words, condition: Mapping[str, Any]) -> str:
    """A sentence about one condition, as an event holds it; a kind that is not known is named as it is."""
    kind, values = str(condition["kind"]), dict(condition.get("values", {}))
    if "share" in values:
        digits = int(kind == "certificate_refuted")
        values["share"] = words.percent(values["share"], digits)
        values["limit"] = words.percent(values["limit"], digits)
    if "seconds" in values:
        values["minutes"] = words.number(values["seconds"] / 60)
    if isinstance(values.get("properties"), list):
        values["properties"] = ", ".join(words(f"property {each}") for each in values["properties"])
    if kind.startswith("part_"):
        return words("Part of the service does not work: %(part)s", **values)
    texts = {
        "silent": words("No sheet for %(minutes)s minutes"),
        "camera_stuck": words("The last %(images)s images have the same bytes: does the camera stand still?"),
        "bad_images": words("%(share)s of the last %(sheets)s images cannot be read"),
        "undecided": words("%(share)s of the last %(sheets)s sheets were not decided"),
        "defects": words("%(share)s of the last %(sheets)s sheets have a defect"),
        "certificate_void": words("The certificate of the bundle does not hold for these sheets"),
        "certificate_refuted": words(
            "The certificate of the bundle no longer holds: at least %(share)s of its decisions seem wrong "
            "to reviewers, where %(limit)s may (%(draws)s audit draws)"
        ),
        "drift": words("The sheets differ clearly from the training sheets: %(properties)s"),
    }
    text = texts.get(kind)
    return kind if text is None else text % values
