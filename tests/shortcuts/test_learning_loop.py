"""From a reviewer's mark at the console to the promoted bundle: the whole chain, on bars and squares.

`benchmarks/learning_loop.py` walks it on generated steel; `tests/long/` asserts its figures.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select
from tests.counterfactuals.proof_cases import HEIGHT, SMALL, WIDTH, stained, steel
from tests.service.api.conftest import serving
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.counterfactuals.pasting import counterfactual, removal
from steelsight.ledger.database import schema
from steelsight.ledger.database.open import open_ledger
from steelsight.ledger.reading.records import list_events
from steelsight.reports import document
from steelsight.service.app import build_app
from steelsight.service.serving.opening import complete_settings, open_service
from steelsight.service.settings.load import load_settings
from steelsight.sheets.formats.tables import read_table
from steelsight.shortcuts.repair import evaluate

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # walks the chain, for its own table too

import console_client
import learning_loop
from learning_loop import NUISANCE, Loop, Plan
from planted_sheets import Sheet, Source

CONTRAST = 60  # gray levels of a defect; the grain has a standard deviation of 6
PLAN = Plan(
    train=100,
    line=40,
    unseen=80,
    marks=5,
    stains=(0.8, 0.0),
    epochs=5,
    most_flipped=1.0,  # whether the figures are good enough is for the long test
    recipe=[each for each in SMALL if not each.startswith("max_epochs")],
)


def draw_bar(seed: int, number: int, stain: bool) -> Sheet:
    """Every second sheet has a dark bar; a stain is a white square beside it."""
    rng = np.random.default_rng([seed, number])
    gray, nothing = steel(rng), np.zeros((HEIGHT, WIDTH), bool)
    left, top, at = (int(rng.integers(*ends)) for ends in ((20, 60), (4, 40), (84, 140)))
    bar = nothing.copy()
    if number % 2:
        bar[8:56, left : left + 8] = True
        gray[bar] -= CONTRAST
    gray, square = stained(gray, top=top, left=at) if stain else (gray, nothing)
    buffer = BytesIO()
    Image.fromarray(gray).save(buffer, "JPEG", quality=97)
    return Sheet(buffer.getvalue(), bar, square)


def run(*words: object, fails: bool = False) -> dict[str, Any]:
    """A verb in this process."""
    done = CliRunner().invoke(app, [*map(str, words), "--json"])
    assert done.exit_code in ((0, 1) if fails else (0,)), (words, done.output)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


@contextmanager
def served(ledger: str, *words: object) -> Iterator[tuple[int, str]]:
    """The service in this process."""
    given: dict[str, Any] = {"ledger": ledger, "alarms": False}
    for flag, value in zip(words[::2], words[1::2], strict=True):
        name, _, text = str(value).partition("=") if flag == "--set" else (str(flag)[2:], "", str(value))
        given[name] = text
    settings = complete_settings(load_settings(given, config=None))
    with closing(open_service(settings, lambda text: None)) as service:
        application = build_app(service)
        try:
            with serving(application) as port:
                yield 0, f"http://127.0.0.1:{port}"
        finally:
            application.state.judges.close()


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Loop:
    loop = Loop(tmp_path_factory.mktemp("loop"), PLAN, Source(lambda seed, number: number % 2 == 1, draw_bar))
    with pytest.MonkeyPatch.context() as patch:
        for module in (counterfactual, removal, evaluate):
            patch.setattr(module, "RESAMPLES", 200)
        for module in (learning_loop, console_client):
            patch.setattr(module, "run_steelsight", run)
        patch.setattr(learning_loop, "serving", served)
        patch.setattr(document, "figure_png", lambda figure: b"")  # figures are tested elsewhere
        loop.walk()
    return loop


def test_what_the_reviewer_marked_at_the_console_is_the_list(walked: Loop) -> None:
    """The list names the sheets whose reviews say "stain", and where she boxed it."""
    ledger = open_ledger(walked.ledger)
    with ledger.read() as connection:
        reviews = connection.execute(select(schema.reviews)).all()
    ledger.close()
    marked = [row for row in reviews if row.nuisance == "stain"]
    assert len(marked) == PLAN.marks
    assert {row.answer for row in marked} == {"confirmed"}
    assert len(reviews) == walked.found["review"]["reviews"] == len({row.sheet for row in reviews})
    table = read_table(walked.path("reviewed") / NUISANCE)
    listed = [row.cells for row in table.rows if row.cells["group"] == "with"]
    assert len(listed) == PLAN.marks
    assert all(row["EncodedPixels"] and row["ImageId"].startswith("good/") for row in listed)


def test_the_list_proves_and_repairs_a_run_whose_folder_has_none_of_its_sheets(walked: Loop) -> None:
    """The run learnt from another folder; the list shows how the stain looks."""
    numbers = json.loads((walked.path("repair") / "repair.json").read_text())
    assert numbers["nuisance"] == "nuisance_stain"
    assert numbers["training_sheets"]["none with"] > 0  # found by the detector of what the list shows
    assert numbers["training_sheets"]["defect with"] == 0
    proof = numbers["before"]["proof"]
    assert f"{NUISANCE} lists {PLAN.marks} other sheets with it" in proof["notes"][0]
    assert walked.found["prove"]["flips"]["estimate"] > 0
    assert walked.found["repair"]["chosen"] == "paste"


def test_the_repaired_bundle_judges_by_the_word_of_a_named_engineer(walked: Loop) -> None:
    release = walked.found["release"]
    before, after = release["service"]["before"], release["service"]["after"]
    assert before["share"] >= 0.3
    assert after["share"] < before["share"] / 2
    assert release["gate"]["after"]["passed"]
    assert release["gate"]["before"]["flipped"][0] > release["gate"]["after"]["flipped"][0]
    assert release["ledger_clean"]
    ledger = open_ledger(walked.ledger)
    with ledger.read() as connection:
        (event,) = [row for row in list_events(connection).rows if row["name"] == "bundle_promoted"]
    ledger.close()
    assert event["subject"] == release["promoted"]
    assert event["person"]
    assert (walked.path("candidates") / ".kept" / release["promoted"] / "card.json").is_file()
    assert "judged by the service |" in learning_loop.markdown(walked.found)
