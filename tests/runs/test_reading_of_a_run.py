"""How the DATA of a training were read is kept in the run, and applied by every verb that opens it."""

from __future__ import annotations

import html
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.cli.test_contract import verbs
from tests.runs.test_without_defect_free import TRAINED, call, draw_data, every_verb

from steelsight.errors import BadData, BadRecipe
from steelsight.models.card import Card
from steelsight.models.checkpoint import load_checkpoint
from steelsight.runs.evaluate import evaluate_run
from steelsight.runs.opening.open import OpenRun, open_run
from steelsight.sheets.options import AUTOMATIC, DataOptions

READING = {"--layout": "folder", "--masks": "_mask", "--defect-free": "A-Ware"}
OPTIONS = [part for pair in READING.items() for part in pair]
WORDS = ", ".join(f"{flag} {value}" for flag, value in READING.items())
STATED = f"{WORDS}; from the run"
NAMES = ("A-Ware", "bar", "block")
DATA_OPTIONS = {"--groups", "--allow-bad", "--layout", "--masks", "--defect-free", "--bits"}


def draw_wares(root: Path, *, seed: int = 0, each: int = 14) -> Path:
    """Class folders of which no name says that A-Ware is defect-free."""
    draw_data(root, ("A-Ware", "bar", "block"), seed=seed, each=each)
    return root


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("wares")
    data = draw_wares(root / "wares")
    runs = {"run": root / "run", "other": root / "other"}
    for epochs, run in enumerate(runs.values(), 1):
        settings = [*OPTIONS, *TRAINED, "--epochs", str(epochs)]
        call("train", data, "--task", "multiclass", "--out", run, *settings)
    return {"root": root, "data": data, **runs}


def test_the_card_keeps_the_reading_and_older_cards_load(trained: dict[str, Path]) -> None:
    card = load_checkpoint(trained["run"])[1]
    assert (card.layout, card.masks, card.defect_free) == ("folder", "_mask", ("A-Ware",))
    assert card.class_names == NAMES
    assert card.defect_free_class == "A-Ware"
    older = json.loads((trained["run"] / "card.json").read_text())
    for key in ("layout", "masks", "defect_free"):
        del older[key]
    assert Card.model_validate(older).defect_free == ()
    assert WORDS in json.loads((trained["run"] / "metrics.json").read_text())["data"]["reading"]


@pytest.mark.parametrize("name", every_verb(Path(), Path(), Path(), Path()))
def test_every_verb_reads_as_the_run_and_says_so(trained: dict[str, Path], tmp_path: Path, name: str) -> None:
    """No option is given; without the run's, A-Ware would be a third type that the run does not have."""
    runs = [tmp_path / "run", tmp_path / "other"]
    for run in runs:
        shutil.copytree(trained[run.name], run)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    output = call(*every_verb(*runs, trained["data"], tmp_path / "out")[name])
    written = [
        path
        for path in sorted(tmp_path.rglob("*"))
        if path.suffix in {".html", ".json"} and before.get(path) != path.read_bytes()
    ]
    texts = [html.unescape(path.read_text(encoding="utf-8")) for path in written]
    stated = STATED if name != "explain" else " ".join(OPTIONS)
    assert any(stated in text for text in texts), output
    if any(path.suffix == ".html" for path in written):
        pages = [text for path, text in zip(written, texts, strict=True) if path.suffix == ".html"]
        assert any(stated in text for text in pages)


@pytest.mark.parametrize("name", sorted(verbs()))
def test_every_verb_that_opens_data_takes_the_options_of_data(name: str) -> None:
    verb = verbs()[name]
    read = [each for each in verb.params if each.name != "out"]
    opens = any(each.name == "data" or each.metavar == "DATA" for each in read)
    flags = {flag for each in verb.params for flag in each.opts}
    if opens and name not in {"demo", "bench", "synth"}:
        assert flags >= DATA_OPTIONS


def opened(run: Path, data: Path, options: DataOptions = AUTOMATIC) -> OpenRun:
    return open_run(run, data, options)


def test_what_the_user_gives_wins_and_both_are_stated(trained: dict[str, Path], tmp_path: Path) -> None:
    data = draw_data(tmp_path / "else", ("B-Ware", "bar"), seed=7)
    sheets = opened(trained["run"], data, DataOptions(defect_free=("B-Ware",))).data
    assert sheets.labelled.labels.tolist() == [0] * 14 + [1] * 14
    assert sheets.labelled.class_names == NAMES
    assert sheets.reading == (
        "layout folder, --layout folder, --masks _mask, --defect-free B-Ware; as given, the rest from the run"
    )
    whole = DataOptions(layout="folder", masks="_mask", defect_free=("B-Ware",))
    assert opened(trained["run"], data, whole).data.reading.endswith(
        f"as given; the run has {' '.join(OPTIONS)}"
    )


def test_another_folder_is_read_as_recognised_where_the_reading_does_not_fit(
    trained: dict[str, Path], tmp_path: Path
) -> None:
    data = draw_data(tmp_path / "else", ("ok_front", "bar"), seed=7)
    found = opened(trained["run"], data)
    assert found.data.labelled.labels.tolist() == [1] * 14 + [0] * 14
    assert "cannot be applied here" in found.data.reading
    assert "no class A-Ware" in found.data.reading
    notes = evaluate_run(trained["run"], data).metrics["notes"]
    assert any(note.startswith("read as: layout folder, recognised; the run's --layout") for note in notes)


def test_a_folder_that_cannot_be_read_in_either_way_says_both(
    trained: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadData, match="found"):
        opened(trained["run"], tmp_path / "empty")


def test_bad_items_are_not_hidden_by_another_reading(trained: dict[str, Path], tmp_path: Path) -> None:
    data = tmp_path / "wares"
    shutil.copytree(trained["data"], data)
    (data / "bar" / "bar0.png").write_bytes(b"no image")
    with pytest.raises(BadData, match="1 bad item, 0 allowed"):
        opened(trained["run"], data)
    assert opened(trained["run"], data, DataOptions(allow_bad=1)).data.reading.endswith("from the run")


def test_bits_of_the_model_are_applied_and_others_refused(trained: dict[str, Path]) -> None:
    with pytest.raises(BadRecipe, match="trained without --bits"):
        opened(trained["run"], trained["data"], DataOptions(bits=12))


def test_runs_read_in_different_ways_are_compared_each_in_its_own(
    trained: dict[str, Path], tmp_path: Path
) -> None:
    """Both call the same sheets defect-free; one was told so by --defect-free, one by the folder's name."""
    named = tmp_path / "named"
    shutil.copytree(trained["data"], named)
    (named / "A-Ware").rename(named / "good")
    call("train", named, "--task", "multiclass", "--out", tmp_path / "plain", *TRAINED)
    first = opened(trained["run"], trained["data"]).data
    with pytest.raises(BadData, match="expected only classes of the run"):
        open_run(tmp_path / "plain", trained["data"], sheets=first)
    given = DataOptions(defect_free=("A-Ware",))
    again = open_run(tmp_path / "plain", trained["data"], given, sheets=first).data
    assert again.labelled.class_names == ("good", "bar", "block")
    assert np.array_equal(again.labelled.labels, first.labelled.labels)
