"""`shortcuts prove` from a RUN and a DATA folder to proof.html and proof.json."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from steelsight.errors import BadInput
from steelsight.files import replace_file, write_json
from steelsight.models.card import Card
from steelsight.models.classifier import SheetClassifier
from steelsight.reports.document import Document
from steelsight.runs.open import open_run, refuse_multilabel
from steelsight.sheets.options import DataOptions
from steelsight.shortcuts.nuisances.nuisance import open_nuisance
from steelsight.shortcuts.pasting.counterfactual import Predict
from steelsight.shortcuts.prove.decision import RULE
from steelsight.shortcuts.prove.examples import choose_examples
from steelsight.shortcuts.prove.prove import ShortcutProof, asked_once, prove
from steelsight.shortcuts.prove.report import write_proof
from steelsight.shortcuts.sheets import ProofSheets, proof_sheets
from steelsight.streams import stream
from steelsight.training.conclude import environment

__all__ = ["NUMBERS", "PAGE", "ProofInputs", "ProofReport", "open_proof", "prove_opened", "prove_run"]

PAGE, NUMBERS = "proof.html", "proof.json"


@dataclass(frozen=True)
class ProofInputs:
    """A run with the sheets that may judge it."""

    run: Path
    part: str
    model: SheetClassifier
    card: Card
    sheets: ProofSheets
    known: tuple[str, ...]  # names of all sheets of the folder
    notes: tuple[str, ...]
    data_hash: str

    @cached_property
    def predict(self) -> Predict:
        """The network, asked once about these sheets however many nuisances are proven on them."""
        return asked_once(self.model, self.sheets.images)


@dataclass(frozen=True)
class ProofReport:
    """What was found, and where it is written."""

    folder: Path
    proof: ShortcutProof
    numbers: dict[str, Any]


def open_proof(
    run: Path, data: Path, *, part: str = "unseen", groups: str | None = None, allow_bad: int = 0
) -> ProofInputs:
    """A run and the sheets of a folder that may judge it.

    part    unseen, test, validation, train or all, as `evaluate`
    raises  BadInput for multilabel or an unknown part; BadData where classes differ or no sheet is left
    """
    check = partial(_refuse_unprovable, run)
    opened = open_run(run, data, DataOptions(groups, allow_bad), allow_patches=True, check=check)
    sheets = proof_sheets(opened.data, opened.choose(part), root=data)
    notes = tuple(opened.seen.notes(part))
    return ProofInputs(
        run, part, opened.model, opened.card, sheets, opened.data.ids, notes, opened.data.data_hash
    )


def _refuse_unprovable(run: Path, card: Card) -> None:
    refuse_multilabel(run, card)
    if len(card.class_names) < 2:
        raise BadInput(
            f"{run}: expected a model of at least two classes, got {', '.join(card.class_names)} alone; "
            "train on sheets of at least two classes"
        )


def prove_run(
    run: Path,
    data: Path,
    asked: str,
    *,
    part: str = "unseen",
    source: str = "auto",
    suspect: str | None = None,
    limit: int = 500,
    each: int | None = None,
    material: str = "auto",
    groups: str | None = None,
    allow_bad: int = 0,
    seed: int = 0,
    out: Path | None = None,
) -> ProofReport:
    """Prove one nuisance and write the page and its numbers.

    asked   stain, end, or a list's path; `part` as in `open_proof`, the rest as in `prove.prove`
    out     default RUN/shortcuts/prove-NAME
    raises  BadInput of any kind
    """
    opened = open_proof(run, data, part=part, groups=groups, allow_bad=allow_bad)
    return prove_opened(
        opened,
        asked,
        source=source,
        suspect=suspect,
        limit=limit,
        each=each,
        material=material,
        seed=seed,
        out=out,
    )


def prove_opened(
    opened: ProofInputs,
    asked: str,
    *,
    source: str = "auto",
    suspect: str | None = None,
    limit: int = 500,
    each: int | None = None,
    material: str = "auto",
    seed: int = 0,
    out: Path | None = None,
) -> ProofReport:
    """As `prove_run`, on a run and sheets already opened."""
    run, part = opened.run, opened.part
    nuisance = open_nuisance(opened.sheets, asked, source=source, known=opened.known)
    proof = prove(
        opened.predict,
        opened.sheets,
        nuisance,
        rng=stream(seed, "proof"),
        suspect=suspect,
        limit=limit,
        material=material,
        each=each,
    )
    examples = choose_examples(opened.model, opened.sheets, proof)
    folder = out or run / "shortcuts" / f"prove-{nuisance.name}"
    numbers = {
        "run": run.name,
        "weights_sha256": opened.card.weights_sha256,
        "data": opened.sheets.name,
        "data_hash": opened.data_hash,
        "split": part,
        "sheets": len(opened.sheets),
        "task": opened.card.task,
        "seed": seed,
        "notes_on_split": list(opened.notes),
        "proof": proof.as_dict(),
        "rule": RULE,
        "examples": [
            {"sheet": example.title, "versions": [version.title for version in example.versions]}
            for example in examples
        ],
        "environment": environment(),
    }
    page = Document(
        f"Is {proof.nuisance} a shortcut to {proof.suspect}?",
        subtitle=f"{run.name} on {len(opened.sheets):,} {part} sheets of {opened.sheets.name}",
    )
    write_proof(page, proof, examples)
    for note in opened.notes:
        page.notice(note)
    page.footer({"data": opened.sheets.name, "data hash": opened.data_hash, "seed": seed, **environment()})
    replace_file(folder / PAGE, page.render().encode())
    write_json(folder / NUMBERS, numbers)
    return ProofReport(folder, proof, numbers)
