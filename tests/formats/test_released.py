"""RUN and BUNDLE folders that released versions wrote are read, and give the predictions they gave then.

`write_released.py` wrote the archives, by the released version itself.
"""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import get_args

import pytest

torch = pytest.importorskip("torch")

from steelsight.checksums import CHECKSUMS_FILE  # noqa: E402  torch first
from steelsight.models.card import CARD_FORMAT, Card  # noqa: E402
from steelsight.runs.evaluate import evaluate_run  # noqa: E402
from steelsight.runs.folders.read import read_run_folder  # noqa: E402
from steelsight.runs.opening.open import open_run  # noqa: E402
from steelsight.runtime.bundle.card import BUNDLE_FORMATS  # noqa: E402
from steelsight.runtime.bundle.open import open_bundle  # noqa: E402
from steelsight.runtime.engine.inspector import load  # noqa: E402
from steelsight.runtime.parity.verify import verify_bundle  # noqa: E402
from steelsight.training.predict import predict_logits  # noqa: E402
from steelsight.training.records import read_logits  # noqa: E402
from steelsight.training.run import load_run  # noqa: E402

RELEASED = Path(__file__).parent / "released"
FORMATS = {"0.1.0": (1, 1), "0.2.0": (1, 2)}  # of the cards of RUN and BUNDLE


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder with DATA, run and bundle of each version."""
    found = {}
    for version in FORMATS:
        found[version] = tmp_path_factory.mktemp("released")
        with tarfile.open(RELEASED / f"{version}.tar.xz") as archive:
            archive.extractall(found[version], filter="data")
    return found


def test_every_format_that_is_read_has_a_folder_of_a_released_version() -> None:
    assert {path.name.removesuffix(".tar.xz") for path in RELEASED.iterdir()} == set(FORMATS)
    runs, bundles = zip(*FORMATS.values(), strict=True)
    assert set(runs) == set(get_args(Card.model_fields["format"].annotation)) == {CARD_FORMAT}
    assert set(bundles) == set(BUNDLE_FORMATS)


@pytest.mark.parametrize("version", FORMATS)
def test_a_run_is_read_and_predicts_as_it_did(version: str, places: dict[str, Path]) -> None:
    folder, data = places[version] / "run", places[version] / "DATA"
    run = load_run(folder)
    assert run.card.steelsight_version == version
    assert run.card.format == FORMATS[version][0]
    assert (folder / CHECKSUMS_FILE).exists() == (version != "0.1.0")
    opened = open_run(folder, data)
    assert set(opened.parts) == {"train", "validation", "test"}
    logits = predict_logits(opened.model, opened.data.images)
    assert logits == pytest.approx(read_logits(folder), abs=1e-4)  # other kernels round otherwise


@pytest.mark.parametrize("version", FORMATS)
def test_a_run_is_evaluated_and_listed(version: str, places: dict[str, Path], tmp_path: Path) -> None:
    folder, data = places[version] / "run", places[version] / "DATA"
    done = evaluate_run(folder, data, part="test", out=tmp_path / "evaluation")
    listed = read_run_folder(folder)
    assert listed is not None
    assert (listed.state, listed.version, listed.data) == ("finished", version, "DATA")
    assert listed.figures["accuracy"].estimate == done.metrics["report"]["accuracy"]["estimate"]


@pytest.mark.parametrize("version", FORMATS)
def test_a_bundle_is_read_and_answers_as_its_source(version: str, places: dict[str, Path]) -> None:
    folder, data = places[version] / "bundle", places[version] / "DATA"
    bundle = open_bundle(folder)
    assert (bundle.card.format, bundle.card.steelsight_version) == (FORMATS[version][1], version)
    assert any(note.startswith("format 1") for note in bundle.notes) == (bundle.card.format == 1)
    assert verify_bundle(bundle, threads=1)[0].broken == ()
    verdict = load(folder).inspect(next((data / "bar").iterdir()))
    assert len(verdict.probabilities) == 2
    assert sum(verdict.probabilities) == pytest.approx(1, abs=1e-5)
