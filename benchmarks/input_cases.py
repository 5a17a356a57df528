"""Draws small DATA folders as people bring them, and writes the table of which are recognised or refused.

    python benchmarks/input_cases.py docs/results/inputs.md

Every case is a row: what it is, a function that draws it into a folder, and what has to come of it. The tests
of `sheets/formats` run over the same rows.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from input_annotation_rows import annotation_cases
from input_basics import Case
from input_folder_rows import folder_cases, mask_cases, name_cases, table_cases
from input_further_annotations import further_annotation_cases
from input_further_rows import further_folder_cases

CASES = (
    *folder_cases(),
    *mask_cases(),
    *name_cases(),
    *table_cases(),
    *annotation_cases(),
    *further_folder_cases(),
    *further_annotation_cases(),
)


def table_of(cases: Sequence[Case]) -> str:
    """The page docs/results/inputs.md; every case is drawn and opened."""
    from steelsight.errors import SteelsightError
    from steelsight.sheets.catalog import DataOptions, check_images, open_data

    lines = [
        "# Which inputs are recognised, which are refused",
        "",
        "Written by `python benchmarks/input_cases.py docs/results/inputs.md`, which draws and opens each",
        "input; `tests/sheets/formats/test_inputs.py` checks every row, `tests/sheets/formats/annotations`",
        "compares the masks of all formats to the pixel with those of pycocotools.",
        "",
    ]
    counts = {"recognised": 0, "refused": 0}
    for kind in dict.fromkeys(case.kind for case in cases):
        lines += [
            f"## {kind.capitalize()}",
            "",
            "| input | outcome | what is read, or what is said |",
            "|---|---|---|",
        ]
        for case in (case for case in cases if case.kind == kind):
            with tempfile.TemporaryDirectory() as scratch:
                root = Path(scratch) / "DATA"
                root.mkdir()
                case.draw(root)
                try:
                    options = DataOptions(**case.expect.options)
                    found = check_images(open_data(root, groups=case.expect.groups, options=options))
                except SteelsightError as error:
                    outcome, said = "refused", str(error).replace(f"{root}: ", "").replace(str(root), "DATA")
                else:
                    masked = sum(bool(item.types) and item.evidence == "mask" for item in found.items)
                    free = sum(not item.types for item in found.items)
                    names = ", ".join(found.type_names[1:]) or "none"
                    outcome = f"recognised: {found.layout}"
                    said = f"{len(found.items)} sheets, {free} defect-free ({found.clean_name}); "
                    said += f"{names}; {masked} masks"
                    said += f", {len(found.rejections)} set aside" if found.rejections else ""
            counts[outcome.partition(":")[0]] += 1
            lines.append(f"| {case.name} | {outcome} | {said.replace('|', '/')} |")
        lines.append("")
    lines.insert(
        6, f"{len(cases)} inputs: {counts['recognised']} recognised, {counts['refused']} refused in words.\n"
    )
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(table_of(CASES))
