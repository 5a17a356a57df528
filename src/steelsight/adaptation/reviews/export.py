"""Write the reviews of a ledger as a DATA folder that the lab takes as it is, with lists of nuisances.

OUT/good/…, OUT/scratch/…      images by class, masks beside them; OUT/images and COCO files where a sheet
                               has several types
OUT/groups.csv, OUT/split.csv  coil and part of each sheet (the part is in the COCO files there)
OUT/coils.csv                  part of each coil, for later exports
OUT/reviews.csv                every review of the sheets: reviewer, time, answer
OUT/nuisance_NAME.csv          sheets marked "right answer, wrong reason", for `shortcuts prove`
OUT/left_out.csv               reviewed sheets that are not there, with the reason
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from steelsight.adaptation.reviews.deciding import DecidedSheet, decide_sheet
from steelsight.adaptation.reviews.nuisances import NuisanceList, write_nuisances
from steelsight.adaptation.reviews.options import ReviewExportOptions
from steelsight.adaptation.reviews.parts import Coils, check_parts, read_coils
from steelsight.adaptation.reviews.pictures import Pictured, group_of, take_pictures
from steelsight.adaptation.reviews.reading import ReviewedSheet, counted_until, read_reviews
from steelsight.csv_text import csv_text
from steelsight.errors import BadData, BadOutput
from steelsight.files import PARTIAL, refuse_output, sync_folder, write_synced
from steelsight.ledger.chain.canonical import time_text
from steelsight.ledger.database.open import Ledger
from steelsight.ledger.images.store import ImageStore
from steelsight.names import shown_name
from steelsight.plain import plain
from steelsight.sheets.catalog import open_data
from steelsight.sheets.convert import Conversion, convert_sheets
from steelsight.sheets.formats.class_names import is_defect_free

__all__ = ["ReviewExport", "export_reviews"]

_DEFAULTS: Final = ReviewExportOptions()
_GROUPS: Final = "column:coil"
_REVIEW_COLUMNS: Final = (
    *("ImageId", "sheet", "station", "item", "coil", "captured", "reviewer", "time", "answer", "label"),
    *("shown", "nuisance", "marked", "blind", "counted", "writer", "seq"),
)


@dataclass(frozen=True)
class ReviewExport:
    """What was written."""

    out: Path
    sheets: int
    reviews: int
    classes: dict[str, int]  # sheets by class
    masks: int
    parts: dict[str, int]
    coils: int
    nuisances: tuple[NuisanceList, ...]
    left_out: dict[str, int]  # sheets by reason

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values: dict[str, Any] = plain(asdict(self) | {"out": str(self.out)})
        return values


LeftOut = list[tuple[ReviewedSheet, str]]


def export_reviews(
    ledger: Ledger, images: ImageStore, out: Path, options: ReviewExportOptions = _DEFAULTS
) -> ReviewExport:
    """Export reviewed sheets.

    images  the ledger's image store
    out     must not exist, or be an empty folder
    raises  BadData for a ledger without reviews, or where no sheet can be exported; BadOutput where OUT holds
            something or cannot be written; BadRecipe for an option
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadOutput(f"{out}: expected no such folder or an empty one; name another --out")
    check_parts(options.part)
    coils = read_coils(options.splits)
    with ledger.read() as connection:
        reviewed = read_reviews(connection)
        until = counted_until(connection, options.counted)
    if not reviewed:
        raise BadData(
            f"{ledger.address}: expected reviews, found none; review sheets first, on the console or by "
            "POST /api/v1/reviews"
        )
    decided, left_out = _decide(reviewed, until, coils, options)
    try:
        with tempfile.TemporaryDirectory(prefix="steelsight-reviews-") as folder:
            clean = _clean_names(decided, options)
            pictured = take_pictures(decided, images, Path(folder), coils, clean, options)
            left_out += [(each.sheet, reason) for each, reason in pictured.left_out]
            _refuse_nothing(ledger, reviewed, pictured, left_out)
            return _write(out, pictured, left_out, coils)
    except OSError as error:
        raise refuse_output(out, error) from error


def _decide(
    reviewed: Sequence[ReviewedSheet], until: int, coils: Coils, options: ReviewExportOptions
) -> tuple[list[DecidedSheet], LeftOut]:
    """The sheets to export with their labels, and the others with the reason."""
    decided: list[DecidedSheet] = []
    left_out: LeftOut = []
    for sheet in _one_a_picture(reviewed, left_out):
        found: DecidedSheet | str = _not_usable(sheet, until) or decide_sheet(sheet)
        if isinstance(found, DecidedSheet) and options.part:
            part = coils.part(group_of(found))
            found = found if part in options.part else f"its coil is in the part {part}"
        if isinstance(found, str):
            left_out.append((sheet, found))
        else:
            decided.append(found)
    return decided, left_out


def _one_a_picture(reviewed: Sequence[ReviewedSheet], left_out: LeftOut) -> list[ReviewedSheet]:
    """Sheets with the same image are one, with the reviews of all; the others are left out."""
    first: dict[str, ReviewedSheet] = {}
    for sheet in reviewed:
        key = sheet.image_hash or sheet.sheet
        if key not in first:
            first[key] = sheet
            continue
        kept = first[key]
        both = (*kept.answers, *sheet.answers)
        answers = sorted(both, key=lambda each: (each.time_us, each.writer, each.seq))
        first[key] = replace(
            kept,
            answers=tuple(answers),
            classes=tuple(dict.fromkeys((*kept.classes, *sheet.classes))),
            drawn=kept.drawn or sheet.drawn,
            known=kept.known or sheet.known,
            captured_us=max(kept.captured_us, sheet.captured_us) if sheet.drawn else kept.captured_us,
        )
        left_out.append((sheet, f"the same image as {kept.item} of {kept.station}, which has its reviews"))
    return list(first.values())


def _not_usable(sheet: ReviewedSheet, until: int) -> str:
    """Why a sheet may not be exported whatever its reviews say; "" = it may."""
    if not sheet.answers:
        return "its reviews were taken back"
    if sheet.drawn and sheet.captured_us >= until:
        return "drawn for audit in a period that is not counted yet: it trains nothing until then"
    if sheet.known:
        return "a known case: it measures reviewers and trains nothing"
    if sheet.image_hash is None:
        return "no image could be read at the line"
    if sheet.pruned:
        return "its image was pruned"
    return ""


def _clean_names(decided: Sequence[DecidedSheet], options: ReviewExportOptions) -> set[str]:
    """Names of defect-free classes: those named by the caller, else those that say so."""
    if options.defect_free:
        return set(options.defect_free)
    names = {each.label for each in decided} | {name for each in decided for name in each.sheet.classes}
    return {name for name in names if is_defect_free(name)}


def _refuse_nothing(
    ledger: Ledger, reviewed: Sequence[ReviewedSheet], pictured: Pictured, left_out: LeftOut
) -> None:
    if pictured.decided:
        return
    reasons = Counter(reason for _, reason in left_out).most_common(3)
    told = "; ".join(f"{count} of them: {reason}" for reason, count in reasons)
    raise BadData(f"{ledger.address}: none of {len(reviewed)} reviewed sheets can be exported: {told}")


def _write(out: Path, pictured: Pictured, left_out: LeftOut, coils: Coils) -> ReviewExport:
    """Everything beside OUT, then in its place in one step."""
    staged = out.with_name(f".{out.name}.reviews{PARTIAL}")
    shutil.rmtree(staged, ignore_errors=True)
    try:
        staged.parent.mkdir(parents=True, exist_ok=True)
        written = convert_sheets(pictured.sheets, staged, groups=_GROUPS)
        ids = {Path(item.id).stem: item.id for item in open_data(staged).items}
        nuisances = write_nuisances(staged, pictured.decided)
        _write_table(staged / "coils.csv", ("coil", "part"), _coil_rows(pictured, coils))
        rows = _review_rows(pictured, ids)
        _write_table(staged / "reviews.csv", _REVIEW_COLUMNS, rows)
        lost = [(each.sheet, each.station, each.item, each.coil or "", why) for each, why in left_out]
        _write_table(staged / "left_out.csv", ("sheet", "station", "item", "coil", "reason"), lost)
        if out.exists():
            out.rmdir()
        staged.rename(out)
        sync_folder(out.parent)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return _summary(out, written, pictured, len(rows), nuisances, left_out)


def _summary(
    out: Path,
    written: Conversion,
    pictured: Pictured,
    reviews: int,
    nuisances: tuple[NuisanceList, ...],
    left_out: LeftOut,
) -> ReviewExport:
    return ReviewExport(
        out=out,
        sheets=len(pictured.decided),
        reviews=reviews,
        classes=written.classes,
        masks=written.masks,
        parts=written.parts,
        coils=written.groups,
        nuisances=nuisances,
        left_out=dict(Counter(reason for _, reason in left_out).most_common()),
    )


def _coil_rows(pictured: Pictured, coils: Coils) -> list[tuple[str, str]]:
    groups = sorted({group_of(each) for each in pictured.decided.values()})
    return [(group, coils.part(group)) for group in groups]


def _review_rows(pictured: Pictured, ids: dict[str, str]) -> list[tuple[object, ...]]:
    """One row for each review of an exported sheet; reviewers by their random ids."""
    rows: list[tuple[object, ...]] = []
    for stem, each in sorted(pictured.decided.items()):
        sheet = each.sheet
        place = (sheet.sheet, sheet.station, sheet.item, sheet.coil or "")
        about = (ids[stem], *place, time_text(sheet.captured_us))
        for answer in sheet.answers:
            marked = "painted" if answer.mask is not None else "boxed" if answer.boxes else ""
            rows.append(
                (
                    *about,
                    answer.person,
                    answer.time,
                    answer.answer.value,
                    answer.label or "",
                    answer.shown or "",
                    answer.nuisance or "",
                    marked,
                    "yes" if answer.blind else "no",
                    "yes" if (answer.writer, answer.seq) in each.counted else "no",
                    answer.writer,
                    answer.seq,
                )
            )
    return rows


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    write_synced(path, shown_name(csv_text([columns, *rows])).encode())
