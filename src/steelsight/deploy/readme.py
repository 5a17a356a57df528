"""The bundle's model card: Hugging Face Markdown with a YAML head, from what its own card.json says."""

from __future__ import annotations

from typing import Any

from steelsight.runtime.bundle.card import BundleCard

__all__ = ["README_FILE", "bundle_readme"]

README_FILE = "README.md"
HEADER = (
    "| precision | sheets | largest difference of a probability | 99th percentile | verdicts that agree "
    "| balanced accuracy lost, at most | maps' cosine, 5th percentile | ms a sheet, one core | passed |"
)


def bundle_readme(card: BundleCard) -> str:
    """What the bundle is, how it was checked, what it promises and what it does not."""
    source = card.source
    taught = "masks taught it where to look" if source.get("mask_supervised") else "classes alone taught it"
    size = f"{card.input.height}x{card.input.width} ({card.input.fit})"
    lines = [
        "---",
        "library_name: steelsight",
        "pipeline_tag: image-classification",
        "tags: [steel, surface-inspection, explainable-ai, onnx, openvino]",
        "---",
        "",
        f"# {card.model}, {card.head} head, {card.precision}",
        "",
        f"Model `{card.model_id}`, task {card.task}: {', '.join(card.class_names)}. Gray sheets of any "
        f"size, seen as {size}. One graph gives logits, the signed Grad-CAM of every class and an embedding.",
        "",
        "## Made from",
        "",
        f"Run `{source.get('run', '')}` on `{source.get('data', '')}` (hash "
        f"`{source.get('data_hash', '')}`), seed {source.get('seed', '')}; {taught}.",
        "",
        "## Checked against its source",
        "",
        HEADER,
        "|---|---|---|---|---|---|---|---|---|",
        *(_row(name, told) for name, told in card.parity.items() if isinstance(told, dict)),
        "",
        "## What it promises",
        "",
        f"Temperature {card.temperature:.3f}. "
        + (_sentence(card.threshold_statement) or "No threshold is set."),
        "",
        *_doubt(card),
        "",
        "## What it looks at instead of the defect",
        "",
        *_shortcuts(card),
        "",
        "## What it does not",
        "",
        "It knows the materials, cameras and defects of its training sheets and no others. A threshold holds "
        "for sheets drawn as its calibration sheets were. The maps show what speaks for a class in this "
        "network, which need not be the defect.",
        "",
        f"Made by steelsight {card.steelsight_version}.",
        "",
    ]
    return "\n".join(lines)


def _row(name: str, told: dict[str, Any]) -> str:
    first = told["engines"][0]
    loss = first["loss"]
    speed = told["ms_a_sheet"]
    cells = [
        name,
        str(first["sheets"]),
        f"{first['largest']:.2g}",
        f"{first['p99']:.2g}",
        f"{first['agreement']:.2%}",
        "" if loss is None else f"{loss['high']:.4f}",
        f"{first['cosine_p5']:.4f}",
        "" if speed is None else f"{speed:.2f}",
        "yes" if told["passed"] else "no: " + "; ".join(words.partition(": ")[2] for words in told["broken"]),
    ]
    return f"| {' | '.join(cells)} |"


def _shortcuts(card: BundleCard) -> list[str]:
    if not card.shortcuts:
        return ["Nobody has looked for shortcuts (`steelsight shortcuts find`, `prove`)."]
    return [
        f"- {each.nuisance} → {each.suspect}: **{each.verdict}** on `{each.data}`; {each.because}."
        for each in card.shortcuts
    ]


def _doubt(card: BundleCard) -> list[str]:
    found = []
    if card.threshold is not None:
        found.append(f"Below a confidence of {card.threshold:g} the verdict is `doubtful`.")
    if card.familiarity is not None:
        found.append(
            f"Farther than {card.familiarity.limit:.3g} from the training sheets, where "
            f"{1 - card.familiarity.kept:.0%} of the calibration sheets lie, the verdict is `unknown_input`."
        )
    return found


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." if text else ""
