"""Proves one nuisance on a RUN and a DATA folder, and writes proof.html and proof.json."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from steelsight.checksums import CHECKSUMS_FILE, write_checksums
from steelsight.counterfactuals.decision import RULE
from steelsight.counterfactuals.nuisances.nuisance import ALIASES, KINDS, open_nuisance
from steelsight.counterfactuals.pasting.counterfactual import Predict
from steelsight.counterfactuals.proof import ShortcutProof
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.errors import BadInput
from steelsight.files import dump_json, keep_earlier, write_json
from steelsight.models.card import Card
from steelsight.models.classifier import SheetClassifier
from steelsight.reading import inside, parse_object, read_regular
from steelsight.reports.document import Document
from steelsight.runs.opening.open import open_run, refuse_multilabel
from steelsight.runs.settings import result_settings
from steelsight.sheets.options import AUTOMATIC, DataOptions
from steelsight.shortcuts.prove.examples import Example, choose_examples
from steelsight.shortcuts.prove.options import ProofOptions
from steelsight.shortcuts.prove.prove import cache_predictions, prove
from steelsight.shortcuts.prove.report import write_proof
from steelsight.shortcuts.sheets import proof_sheets
from steelsight.streams import stream
from steelsight.training.conclude import environment

__all__ = [
    "NUMBERS",
    "PAGE",
    "ProofInputs",
    "ProofReport",
    "open_proof",
    "proof_folder",
    "prove_opened",
    "prove_run",
]

PAGE, NUMBERS = "proof.html", "proof.json"
DEFAULT = ProofOptions()


@dataclass(frozen=True)
class ProofInputs:
    """A run with the sheets to evaluate it on."""

    run: Path
    split: str
    model: SheetClassifier
    card: Card
    sheets: ProofSheets
    known: tuple[str, ...]  # names of all sheets of the folder
    notes: tuple[str, ...]  # on the split
    data_hash: str
    reading: str  # how DATA was read, see SheetData.reading

    @cached_property
    def predict(self) -> Predict:
        """The network; it predicts these sheets once for all nuisances proven on them."""
        return cache_predictions(self.model, self.sheets.images)


@dataclass(frozen=True)
class ProofReport:
    """A proof that was written to a folder."""

    folder: Path
    proof: ShortcutProof
    numbers: dict[str, Any]  # of proof.json

    @property
    def page(self) -> Path:
        """The HTML page."""
        return self.folder / PAGE


def open_proof(
    run: Path, data: Path, options: DataOptions = AUTOMATIC, *, split: str = "unseen"
) -> ProofInputs:
    """Open a run and the sheets of a folder to evaluate it on.

    options  how DATA is opened
    split    unseen, test, validation, train or all, as for `evaluate`
    raises   BadInput for multilabel or an unknown split; BadData where classes differ or no sheet is left
    """
    check = partial(_refuse_unprovable, run)
    opened = open_run(run, data, options, allow_patches=True, check=check)
    sheets = proof_sheets(opened.data, opened.choose(split), root=data)
    notes = tuple(opened.notes(split))
    return ProofInputs(
        run,
        split,
        opened.model,
        opened.card,
        sheets,
        known=opened.data.ids,
        notes=notes,
        data_hash=opened.data.data_hash,
        reading=opened.data.reading,
    )


def _refuse_unprovable(run: Path, card: Card) -> None:
    refuse_multilabel(run, card)
    if len(card.class_names) < 2:
        raise BadInput(
            f"{run}: expected a model of at least two classes, got {', '.join(card.class_names)} alone; "
            "a shortcut needs a second class"
        )


def prove_run(
    run: Path, data: Path, nuisance: str, options: ProofOptions = DEFAULT, *, out: Path | None = None
) -> ProofReport:
    """Prove one nuisance and write the page and its numbers.

    nuisance  stain, end, or a list's path
    out       folder to write; None = RUN/shortcuts/prove-NAME, see `proof_folder`
    raises    BadInput as `open_proof`, `open_nuisance` and `prove`
    """
    opened = open_proof(run, data, options, split=options.split)
    return prove_opened(opened, nuisance, options, out=out)


def prove_opened(
    opened: ProofInputs, nuisance: str, options: ProofOptions = DEFAULT, *, out: Path | None = None
) -> ProofReport:
    """Prove one nuisance on a run and sheets already opened, as `prove_run`.

    options  its split, and how DATA is opened, are not used; its allow_bad is for the rows of a list
    """
    present = open_nuisance(
        opened.sheets,
        nuisance,
        source=options.groups_from,
        known=opened.known,
        allow_bad=options.allow_bad,
    )
    proof = prove(opened.predict, opened.sheets, present, options, rng=stream(options.seed, "proof"))
    examples = choose_examples(opened.model, opened.sheets, proof)
    folder = out or proof_folder(opened.run / "shortcuts", f"prove-{present.name}", nuisance)
    numbers = _numbers(opened, proof, examples, options.seed)
    numbers["list_sha256"] = _list_sum(nuisance)
    page = Document(
        f"Is {proof.nuisance} a shortcut to {proof.suspected_class}?",
        subtitle=f"{opened.run.name} on {len(opened.sheets):,} {opened.split} sheets of {opened.sheets.name}",
    )
    write_proof(page, proof, examples)
    for note in opened.notes:
        page.notice(note)
    page.footer(
        {
            "data": opened.sheets.name,
            "data hash": opened.data_hash,
            "read as": opened.reading,
            "seed": options.seed,
            **environment(),
        }
    )
    settings = result_settings(
        "shortcuts prove",
        options,
        cards=[opened.card],
        data_hash=opened.data_hash,
        split=opened.split,
        nuisance=nuisance,
    )
    numbers |= keep_earlier(folder, NUMBERS, settings, [PAGE, CHECKSUMS_FILE, *page.figure_files()])
    page.save_page(folder / PAGE)
    write_checksums(folder, (), {NUMBERS: dump_json(numbers)})
    write_json(folder / NUMBERS, numbers)
    return ProofReport(folder, proof, numbers)


def proof_folder(parent: Path, name: str, nuisance: str) -> Path:
    """The folder of a proof: `name`, numbered where that holds the proof of another list of sheets.

    name      prove-NAME
    nuisance  stain, end, or a list's path
    """
    wanted, number = name, 2
    while _holds_another(parent / wanted / NUMBERS, _list_sum(nuisance)):
        wanted, number = f"{name}-{number}", number + 1
    return inside(parent, wanted)


def _holds_another(path: Path, list_sum: str | None) -> bool:
    try:
        kept = parse_object(read_regular(path)).get("list_sha256")
    except (OSError, ValueError):  # none, or one that is replaced
        return False
    return kept is not None and kept != list_sum


def _list_sum(nuisance: str) -> str | None:
    """The SHA-256 of a list of sheets; None for a nuisance that has a detector."""
    if ALIASES.get(nuisance, nuisance) in KINDS:
        return None
    return hashlib.sha256(read_regular(Path(nuisance))).hexdigest()


def _numbers(
    opened: ProofInputs, proof: ShortcutProof, examples: Sequence[Example], seed: int
) -> dict[str, Any]:
    return {
        "run": opened.run.name,
        "weights_sha256": opened.card.weights_sha256,
        "data": opened.sheets.name,
        "data_hash": opened.data_hash,
        "reading": opened.reading,
        "split": opened.split,
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
